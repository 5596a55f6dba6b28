import { compileGlob } from '../../util/glob.ts'
import type { HookOptions } from './options.ts'

/** Whether a hook looks at one of these paths; undefined = any may have changed. */
export function concerns({ files }: Pick<HookOptions, 'files'>, changed: readonly string[] | undefined): boolean {
  if (changed === undefined || files.includes('**')) return true
  return changed.some(globsOf({ files }))
}

/** Whether a hook looks at a path. */
export function globsOf({ files }: Pick<HookOptions, 'files'>): (path: string) => boolean {
  const globs = files.map(compileGlob)
  return (path) => globs.some((matches) => matches(path))
}
