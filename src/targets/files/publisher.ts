import type { PathChange } from './path-change.ts'
import type { PinnedTree } from './publish-hooks.ts'
import type { StoredState, TreeState } from './state-file.ts'
import type { TreeContent, VisibleTree } from './visible-tree.ts'

/** What is, or is about to be, visible. */
export type VisibleState = Omit<TreeState, 'names'>

/**
 * How states of a prefix become visible below a root: what differs between the layouts. Belongs to one opened root that is
 * locked by this process. Calls come one at a time. Failures are those of file calls.
 */
export interface Publisher {
  /** What stands on disk of the state that consumers see, by whichever layout it was written; undefined = nothing. */
  readonly found: StoredState | undefined
  /** What consumers saw last when the root was opened; undefined = nothing was ever published. */
  readonly foundPublished: TreeState['published'] | undefined
  /** Whether a state is visible in this layout, to which changes can be applied. */
  readonly isPublished: boolean
  /** Whether a publish ended halfway: consumers see something between two states until the next publish. */
  readonly isTorn: boolean
  /** Directory of the tree that consumers see; undefined = none. */
  readonly directory: string | undefined
  /** Sees to it, in the background, that the next publish can begin at once. */
  prepare(): void
  /** Resolves when a publish could go at once. Rejects with the abort reason, or with why there can be none. */
  ready(signal: AbortSignal): Promise<void>
  /** The same, to look at; undefined = none. */
  readonly visible: VisibleTree | undefined
  /**
   * Whether what consumers see is `content()`. Runs beside `ready`, `publishChanges` and `remember`; is about something
   * that was visible meanwhile.
   */
  verify(content: () => TreeContent, signal: AbortSignal): Promise<boolean>
  /** Makes the complete tree in `directory` visible instead of what is; takes the directory over. */
  publishTree(directory: string, state: VisibleState, signal: AbortSignal): Promise<void>
  /** Makes changes of what is visible visible. `changes`: at least one path that differs, unless the last publish is torn. */
  publishChanges(changes: readonly PathChange[], state: VisibleState, signal: AbortSignal): Promise<void>
  /** The visible tree, to stay as it is until it is released; in the layout InPlace it goes on changing. */
  pin(): PinnedTree | undefined
  /** Writes down that what is visible equals etcd at another position. */
  remember(state: VisibleState): void
  /** Takes over a tree in the making that is equal to the visible one. */
  addSpare(directory: string): void
}
