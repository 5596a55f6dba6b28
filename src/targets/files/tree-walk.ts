import type { Dirent } from 'node:fs'
import { isFileError } from './file-error.ts'
import { type FileSystem, hasMode } from './file-system.ts'
import { LEAF_NAME } from './key-path.ts'

export interface TreeSurvey {
  readonly files: number
  /** Whether nothing but regular files and the directories that they need stands there, these of the wanted mode. */
  readonly isSound: boolean
}

export interface SurveyOptions {
  readonly directoryMode: number
  /** Called with the path of each file, below the tree: whether it is as it should be. Default: it is. */
  readonly lookAt?: (path: string) => boolean
  /** For a tree in a directory that is not all its own: names of entries that are none of its. Its mode does not count. */
  readonly reserved?: ReadonlySet<string> | undefined
}

/** Counts what stands below `directory`, for `inSlices`. A directory that is gone or not ours to read is not sound. */
export function* surveyTree(
  files: FileSystem,
  directory: string,
  { directoryMode, lookAt = () => true, reserved }: SurveyOptions,
  below = '',
): Generator<void, TreeSurvey> {
  const stats = files.lstat(directory)
  const entries = readEntries(files, directory)?.filter(({ name }) => !reserved?.has(name))
  let count = 0
  let isSound = stats !== undefined && entries !== undefined
  if (reserved === undefined) isSound &&= stats !== undefined && hasMode(stats, directoryMode)
  if (below !== '') isSound &&= isNeeded(entries ?? [])
  for (const entry of entries ?? []) {
    const path = `${below}${entry.name}`
    if (entry.isDirectory()) {
      const inner = yield* surveyTree(files, `${directory}/${entry.name}`, { directoryMode, lookAt }, `${path}/`)
      count += inner.files
      isSound = inner.isSound && isSound
    } else {
      count += 1
      isSound = entry.isFile() && lookAt(path) && isSound
      yield
    }
  }
  yield
  return { files: count, isSound }
}

/** Keys make no directory that is empty, nor one for the file alone whose place it took. */
function isNeeded([first, second]: readonly Dirent[]): boolean {
  return first !== undefined && (second !== undefined || first.name !== LEAF_NAME)
}

/** undefined = it cannot be read as a directory. */
function readEntries(files: FileSystem, directory: string): Dirent[] | undefined {
  try {
    return files.readdir(directory)
  } catch (error) {
    if (isFileError(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES')) return undefined
    throw error
  }
}

export interface LinkOptions {
  readonly directoryMode: number
  /** Names of entries of `from` that stay out. */
  readonly left?: ReadonlySet<string>
}

/** A second tree that shares the files of `from`: `to` must not exist. Anything but files and directories stays out. */
export function* linkTree(
  files: FileSystem,
  from: string,
  to: string,
  { directoryMode, left }: LinkOptions,
): Generator<void, void> {
  files.mkdir(to, directoryMode)
  for (const entry of files.readdir(from)) {
    if (left?.has(entry.name)) continue
    const source = `${from}/${entry.name}`
    const target = `${to}/${entry.name}`
    if (entry.isDirectory()) {
      yield* linkTree(files, source, target, { directoryMode })
    } else if (entry.isFile()) {
      files.link(source, target)
      yield
    }
  }
}

/** Removes whatever stands at `path`. What is gone already is no error. */
export function* removeTree(files: FileSystem, path: string): Generator<void, void> {
  const stats = files.lstat(path)
  if (stats === undefined) return
  if (stats.isDirectory()) {
    for (const entry of files.readdir(path)) {
      const inner = `${path}/${entry.name}`
      if (entry.isDirectory()) yield* removeTree(files, inner)
      else files.unlink(inner)
      yield
    }
    files.rmdir(path)
  } else {
    files.unlink(path)
  }
}
