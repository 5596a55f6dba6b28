import type { ReportDifference } from '../../mirror/sink.ts'
import { type FileSystem, hasMode } from './file-system.ts'

export interface AddedPathsOptions {
  readonly files: FileSystem
  /** What consumers see. */
  readonly visible: string
  /** What they should see. */
  readonly right: string
  readonly directoryMode: number
  readonly report: ReportDifference
  /** Names of entries of `visible` itself that are no part of the tree. */
  readonly reserved?: ReadonlySet<string> | undefined
}

/** Reports what stands in a tree and has no counterpart in the right one, for `inSlices`. Files of keys are not read. */
export function* reportAdded(options: AddedPathsOptions, below = ''): Generator<void, void> {
  for (const entry of options.files.readdir(`${options.visible}/${below}`)) {
    const path = `${below}${entry.name}`
    if (options.reserved?.has(path)) continue
    const kind = entry.isDirectory() ? faultOfDirectory(options, path) : faultOfOther(options, path)
    if (kind !== undefined) options.report({ path, kind, modRevision: undefined })
    if (entry.isDirectory()) yield* reportAdded(options, `${path}/`)
    yield
  }
}

/** Of what is added inside it, that is said for itself. */
function faultOfDirectory({ files, visible, right, directoryMode }: AddedPathsOptions, path: string) {
  const expected = files.lstat(`${right}/${path}`)
  if (expected === undefined) return files.firstNames(`${visible}/${path}`, 1).length === 0 ? 'added' : undefined
  const found = files.lstat(`${visible}/${path}`)
  return expected.isDirectory() && found !== undefined && !hasMode(found, directoryMode) ? 'mode' : undefined
}

/** The files that keys have were compared already. */
function faultOfOther({ files, right }: AddedPathsOptions, path: string) {
  const expected = files.lstat(`${right}/${path}`)
  if (expected === undefined) return 'added'
  return expected.isDirectory() ? 'type' : undefined
}
