import type { FileSystem } from './file-system.ts'
import { type Layout, REVISIONS_NAME } from './layout.ts'
import { treePath } from './publication.ts'
import { historyOf, isUnused, type NameHistory, NO_NAMES, parseName } from './revision-name.ts'
import { IN_PLACE, readState, type StoredState, statePath } from './state-file.ts'

/** What stands below a root that is ours. */
export interface RootSurvey {
  /** Name of the tree that consumers see; undefined = none. */
  readonly name: string | undefined
  /** Its state, or else what the layout InPlace left; undefined = there is none that can be read. */
  readonly state: StoredState | undefined
  readonly names: NameHistory
  /** Directories of trees that consumers saw and may still read. */
  readonly leftovers: readonly string[]
  /** Directories that no consumer has ever seen. */
  readonly debris: readonly string[]
}

/** Reads what stands there in the layout Snapshot, and removes the states of trees that are not visible. */
export function surveyRoot(files: FileSystem, layout: Layout): RootSurvey {
  const trees = namesIn(files, layout.revisions)
  const name = currentName(files, layout)
  const state = readState(files, layout, name ?? IN_PLACE)
  const names = state?.names ?? historyOf(trees)
  const others = trees.filter((tree) => tree !== name)
  const isDebris = (tree: string) => state !== undefined && isUnused(names, tree)
  removeOtherStates(files, layout, name ?? IN_PLACE)
  return {
    name,
    state,
    names,
    leftovers: others.filter((tree) => !isDebris(tree)).map((tree) => treePath(layout, tree)),
    debris: [...others.filter(isDebris).map((tree) => treePath(layout, tree)), ...unfinishedWork(files, layout)],
  }
}

/** The revision that a tree's name tells, where its state does not. */
export function revisionOfName(name: string): number {
  return (parseName(name) ?? NO_NAMES).revision
}

/** What an ended process left in the making. */
export function unfinishedWork(files: FileSystem, layout: Layout): string[] {
  return namesIn(files, layout.work).map((name) => `${layout.work}/${name}`)
}

/** The name that `current` points to, if a tree of that name stands. */
export function currentName(files: FileSystem, layout: Layout): string | undefined {
  const name = files.readlink(layout.current)?.replace(`${REVISIONS_NAME}/`, '')
  if (name === undefined || parseName(name) === undefined) return undefined
  return files.lstat(treePath(layout, name))?.isDirectory() ? name : undefined
}

/** Removes the states of trees other than `name`, and what was left of writing one. */
export function removeOtherStates(files: FileSystem, layout: Layout, name: string): void {
  const kept = statePath(layout, name)
  for (const entry of namesIn(files, layout.states)) {
    const path = `${layout.states}/${entry}`
    if (path !== kept) files.unlink(path)
  }
}

function namesIn(files: FileSystem, directory: string): string[] {
  return files.readdir(directory).map((entry) => entry.name)
}
