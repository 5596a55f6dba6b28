/**
 * What the periodic compaction does now.
 *
 * - `Waiting`: until a full period has passed since the store was last looked at
 * - `Compacting`: this process runs the compaction of this period
 * - `Following`: another process ran the last one
 * - `Yielding`: something else compacts this store, such as the Kubernetes API server
 * - `Denied`: etcd does not permit it; tried again every hour
 * - `Retrying`: etcd could not be asked, or did not do it
 */
export type CompactionPhase = 'Waiting' | 'Compacting' | 'Following' | 'Yielding' | 'Denied' | 'Retrying'

/** What the periodic compaction says of itself. */
export interface CompactionStatus {
  readonly phase: CompactionPhase
  readonly periodMs: number
  /** The revision this process compacted to last; 0 = not yet. */
  readonly compactedRevision: number
  /** Unix ms of that; undefined = not yet. */
  readonly lastCompactionMs: number | undefined
  /** Why the last try failed; undefined = it did not. */
  readonly lastError: CompactionFailure | undefined
}

export interface CompactionFailure {
  readonly reason: string
  readonly message: string
  readonly hint: string | undefined
  /** Unix ms: the last time. */
  readonly atMs: number
}
