import type { Totals } from '../../mirror/sink.ts'
import type { Position } from '../../replication/position.ts'
import type { KeyErrorSet } from './key-errors.ts'
import type { KeyPaths } from './key-paths.ts'
import type { PathChange } from './path-change.ts'
import type { KeyChange } from './path-changes.ts'

/** What stands in the files of one state: the paths that changes of its keys change. Follows one state; not reusable. */
export interface Projection {
  /**
   * Changes of keys as changes of paths. Keys that have none go into `keyErrors`, or out of it when they are deleted.
   * The same changes may come again. Throws `GuardError` when a key is in the way of something else.
   */
  take(changes: Iterable<KeyChange>, keyErrors: KeyErrorSet): PathChange[]
  /** The files that are made of many keys and that the changes since `published` may have changed. Throws `GuardError`. */
  outputs(position: Position, signal: AbortSignal): Promise<PathChange[]>
  /** What was taken and made is visible. */
  published(): void
  /** Of the keys taken; undefined = those of the files are the same. */
  readonly totals: Totals | undefined
}

/** How states become files. */
export interface ProjectionSource {
  /** A projection has to see every key of its state: one that goes on where another process ended needs a snapshot. */
  readonly needsValues: boolean
  /** Of a state without keys. */
  begin(paths: KeyPaths): Projection
  /** Nothing is rendered for now. Idempotent. */
  close(): void
}
