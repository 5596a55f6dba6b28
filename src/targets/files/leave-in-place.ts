import type { FileSystem } from './file-system.ts'
import { type Layout, RESERVED_NAMES, REVISIONS_NAME } from './layout.ts'
import { FOREGROUND_SLICE_MS, inSlices } from './slices.ts'
import { IN_PLACE, readState, statePath, writeState } from './state-file.ts'
import { removeTree } from './tree-walk.ts'

const CURRENT_NAME = 'current'

/** Removes files of the layout InPlace that stand where the layout Snapshot has its own. */
export async function clearPlaces(files: FileSystem, layout: Layout, signal: AbortSignal): Promise<void> {
  const state = readState(files, layout, IN_PLACE)
  // Whoever goes back to the layout InPlace must not trust a state that may not be true any more.
  if (state?.isComplete) writeState(files, layout, IN_PLACE, state, { isIntent: true })
  if (!files.lstat(layout.current)?.isSymbolicLink()) await remove(files, layout.current, signal)
  if (!files.lstat(layout.revisions)?.isDirectory()) await remove(files, layout.revisions, signal)
}

/** Removes all that the layout InPlace left, for `inSlices`; its state first, which is not true any more then. */
export function* removeInPlace(files: FileSystem, layout: Layout): Generator<void, void> {
  yield* removeTree(files, statePath(layout, IN_PLACE))
  for (const { name } of files.readdir(layout.root)) {
    const isKept = RESERVED_NAMES.has(name) || name === CURRENT_NAME || name === REVISIONS_NAME
    if (!isKept) yield* removeTree(files, `${layout.root}/${name}`)
  }
}

async function remove(files: FileSystem, path: string, signal: AbortSignal): Promise<void> {
  await inSlices(removeTree(files, path), FOREGROUND_SLICE_MS, signal)
}
