import { compileGlob } from '../../util/glob.ts'
import type { HookOptions } from './options.ts'

/** Whether a hook looks at one of these paths; undefined = any may have changed. */
export function concerns({ files }: Pick<HookOptions, 'files'>, changed: readonly string[] | undefined): boolean {
  if (changed === undefined || files.includes('**')) return true
  const globs = files.map(compileGlob)
  return changed.some((path) => globs.some((matches) => matches(path)))
}
