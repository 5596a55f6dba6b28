import { compileGlob } from '../../util/glob.ts'
import type { KeyEntry } from './key-entry.ts'

/** Which keys match one of some globs. Answers for an entry are remembered as long as it lives. */
export class KeyFilter {
  readonly #globs: readonly ((key: string) => boolean)[]
  readonly #isEverything: boolean
  readonly #known = new WeakMap<KeyEntry, boolean>()

  constructor(globs: readonly string[]) {
    this.#isEverything = globs.includes('**')
    this.#globs = globs.map(compileGlob)
  }

  matches(key: string): boolean {
    return this.#isEverything || this.#globs.some((matches) => matches(key))
  }

  /** Those of `entries` that match. */
  select(entries: readonly KeyEntry[]): readonly KeyEntry[] {
    return this.#isEverything ? entries : entries.filter((entry) => this.#isMatch(entry))
  }

  #isMatch(entry: KeyEntry): boolean {
    const known = this.#known.get(entry)
    if (known !== undefined) return known
    const isMatch = this.matches(entry.text)
    this.#known.set(entry, isMatch)
    return isMatch
  }
}
