import { compileGlob } from '../../util/glob.ts'
import type { FileTargetOptions } from './file-target-options.ts'

/** Permission bits of the file with this path below the tree. */
export type ModeOf = (path: string) => number

/** The mode of the first glob that a path matches; of others the one for all. */
export function modesOf({ mode, modes = [] }: Pick<FileTargetOptions, 'mode' | 'modes'>): ModeOf {
  const rules = modes.map((rule) => ({ matches: rule.files.map(compileGlob), mode: rule.mode }))
  return (path) => rules.find(({ matches }) => matches.some((glob) => glob(path)))?.mode ?? mode
}
