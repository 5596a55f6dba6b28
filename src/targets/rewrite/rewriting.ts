import { isUtf8 } from 'node:buffer'
import type { RE2JS } from 're2js'
import type { RewriteOptions } from './options.ts'
import { compilePattern } from './pattern.ts'

interface Step extends Omit<RewriteOptions, 'match'> {
  readonly pattern: RE2JS
}

/** Names of keys, by rules. */
export class Rewriting {
  readonly #steps: readonly Step[]

  constructor(rules: readonly RewriteOptions[]) {
    this.#steps = rules.map(({ match, ...rest }) => ({ ...rest, pattern: compilePattern(match) }))
  }

  /** The name of a key, both below the prefix; undefined = it is left out. Keys that are no text keep their names. */
  nameOf(key: Buffer): Buffer | undefined {
    if (!isUtf8(key)) return key
    let name = key.toString('utf8')
    for (const { pattern, replace, drop, lower } of this.#steps) {
      if (!pattern.matcher(name).find()) continue
      if (drop) return undefined
      if (replace !== undefined) name = pattern.matcher(name).replaceAll(replace)
      if (lower) name = name.toLowerCase()
    }
    return Buffer.from(name)
  }
}
