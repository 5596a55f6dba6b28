import { join } from 'node:path'
import type { ConfigProblem } from './config-error.ts'
import type { ConfigSources } from './config-sources.ts'

export interface Located {
  /** The path to read; undefined = nothing is there. */
  readonly path: string | undefined
  readonly isDirectory: boolean
  /** Every path that was looked at, in order. */
  readonly looked: readonly string[]
}

/**
 * The seed's lookup: what was given counts as it is if it exists, else below the config directory. Without anything
 * given only `<configDir>/<fallback>` is looked at. A path that exists but cannot be looked at counts as found: reading
 * it says why.
 */
export async function locate(
  { given, configDir, fallback }: { given: string | undefined; configDir: string; fallback: string },
  sources: ConfigSources,
): Promise<Located> {
  const candidates = given === undefined ? [join(configDir, fallback)] : [...new Set([given, join(configDir, given)])]
  for (const path of candidates) {
    const found = await sources.look(path)
    if (found !== undefined) return { path, isDirectory: found === 'directory', looked: candidates }
  }
  return { path: undefined, isDirectory: false, looked: candidates }
}

/** Says that nothing is where `locate` looked; `advice` follows when the user had named no path. */
export function notFound({ looked }: Located, given: string | undefined, advice: string): ConfigProblem {
  const [first = '', ...others] = looked
  const elsewhere = others.map((path) => ` (nor does ${path})`).join('')
  return { file: first, path: '', message: `does not exist${elsewhere}${given === undefined ? `: ${advice}` : ''}` }
}
