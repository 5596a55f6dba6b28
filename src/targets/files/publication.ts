import type { FileSystem } from './file-system.ts'
import { type Layout, REVISIONS_NAME } from './layout.ts'
import type { OnPublishStep } from './publish-step.ts'
import { type NameHistory, nextName } from './revision-name.ts'
import { statePath, type TreeState, writeState } from './state-file.ts'

export interface PublishOptions {
  readonly files: FileSystem
  readonly layout: Layout
  readonly onStep: OnPublishStep
  /** Finished, out of sight. */
  readonly directory: string
  /** Its state; `names` are those used so far. */
  readonly state: TreeState
  /** Name of the tree that consumers see until now; undefined = none. */
  readonly previous: string | undefined
  /** Called with where the tree stands if it could not be published. */
  readonly discard: (directory: string) => void
}

/** Where the tree of a name stands. */
export function treePath(layout: Layout, name: string): string {
  return `${layout.revisions}/${name}`
}

/** Whether `current` is the link that a publish under `name` made. */
export function isCurrent(files: FileSystem, layout: Layout, name: string): boolean {
  return files.readlink(layout.current) === linkTo(name)
}

/**
 * Makes a finished tree the one that consumers see. The state stands before the flip, under the tree's own name, so that
 * the one rename(2) of the flip commits tree and state together (docs/adr/0002-state-per-tree.md). Throws what a file
 * call throws; then nothing has changed for consumers.
 */
export function publishTree(options: PublishOptions): { readonly name: string; readonly names: NameHistory } {
  const { files, layout, onStep, directory, previous } = options
  const { name, used } = nextName(options.state.names, options.state.published.revision)
  let standsAt = directory
  try {
    onStep('write-state')
    writeState(files, layout, name, { ...options.state, names: used })
    onStep('name-tree')
    files.rename(directory, treePath(layout, name))
    standsAt = treePath(layout, name)
    onStep('make-link')
    if (files.lstat(layout.nextLink) !== undefined) files.unlink(layout.nextLink)
    files.symlink(linkTo(name), layout.nextLink)
    onStep('flip')
    files.rename(layout.nextLink, layout.current)
  } catch (error) {
    options.discard(standsAt)
    throw error
  }
  onStep('forget-state')
  if (previous !== undefined) forgetState(files, layout, previous)
  return { name, names: used }
}

function linkTo(name: string): string {
  return `${REVISIONS_NAME}/${name}`
}

/** A state that stays behind says nothing, as no link names its tree: the next open removes it. */
function forgetState(files: FileSystem, layout: Layout, name: string): void {
  try {
    files.unlink(statePath(layout, name))
  } catch {}
}
