import { isFileError } from './file-error.ts'
import type { ModeOf } from './file-modes.ts'
import { type FileSystem, hasMode } from './file-system.ts'
import { placeOf, TreeDigest } from './tree-digest.ts'
import { surveyTree } from './tree-walk.ts'

export interface TreeCheckOptions {
  readonly files: FileSystem
  readonly directory: string
  readonly modeOf: ModeOf
  readonly directoryMode: number
  readonly reserved?: ReadonlySet<string> | undefined
}

export interface TreeFindings {
  readonly files: number
  /** Whether nothing but readable files and needed directories stands there, all with their modes. */
  readonly isSound: boolean
  readonly digest: TreeDigest
}

/** Reads everything below a directory, for `inSlices`. What cannot be read, or goes away meanwhile, is not sound. */
export function* checkTree(options: TreeCheckOptions): Generator<void, TreeFindings> {
  const { files, directory, modeOf, directoryMode, reserved } = options
  const digest = new TreeDigest()
  const lookAt = (path: string): boolean => {
    const absolute = `${directory}/${path}`
    try {
      const stats = files.lstat(absolute)
      if (!stats?.isFile() || !hasMode(stats, modeOf(placeOf(path)))) return false
      digest.add(files.hash(absolute, placeOf(path)))
      return true
    } catch (error) {
      if (isFileError(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EISDIR')) return false
      throw error
    }
  }
  const { files: count, isSound } = yield* surveyTree(files, directory, { directoryMode, lookAt, reserved })
  return { files: count, isSound, digest }
}
