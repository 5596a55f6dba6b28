import type { KeyErrors } from './sink.ts'

/** Where a mirror is in its life. */
export type MirrorPhase = 'Opening' | 'Connecting' | 'Snapshotting' | 'Following' | 'Held' | 'Retrying' | 'Stopped'

/** What one mirror says of itself: the same facts for probes, status page, metrics and `--one-time`. No values. */
export interface MirrorStatus {
  readonly name: string
  /** Printable. */
  readonly prefix: string
  readonly target: string
  readonly phase: MirrorPhase
  /** A copy stands and consumers can read it. */
  readonly published: boolean
  /** The revision consumers see the copy under. */
  readonly publishedRevision: number
  /** What stands there is the fallback of `seedFrom`: etcd was never reached. */
  readonly seeded: boolean
  /** The copy equals the prefix at this revision; above `publishedRevision` when nothing changed since. */
  readonly appliedRevision: number
  readonly epoch: number
  /** Newest revision of the store that was seen; lag = observedRevision − appliedRevision, when positive. */
  readonly observedRevision: number
  /** Of the copy, those included that the target cannot represent. */
  readonly keys: number
  readonly keyErrors: KeyErrors
  /** Kubernetes objects that the copy is made of; undefined = not known, or it is made of none. */
  readonly objects: number | undefined
  /** Unix ms at which consumers last got to see something new; undefined = not since the start. */
  readonly lastPublishedMs: number | undefined
  /** How far the snapshot that is being taken has got; undefined = none is. */
  readonly snapshot: SnapshotProgress | undefined
  /** Whether the watch on etcd is open. */
  readonly sourceConnected: boolean
  /** etcd's version, undefined = not known (not permitted to ask, or never connected). */
  readonly serverVersion: string | undefined
  /** Unix ms at which the copy was last known to equal etcd; undefined = never yet. */
  readonly lastKnownEqualMs: number | undefined
  /** Milliseconds since then by a clock that never goes back; undefined = never yet. */
  readonly stalenessMs: number | undefined
  /** Not ready when staler than this; 0 = readiness does not look at staleness. */
  readonly maxStalenessMs: number
  /** Unix ms at which all of the copy was last found to be what was published; undefined = not yet. */
  readonly lastVerifiedMs: number | undefined
  /** The failure that is being retried now; of several the one that is nearest to the copy. undefined = none. */
  readonly lastError: MirrorFailure | undefined
  /** Why etcd cannot be followed, or refuses to be read beside an open watch, whatever else fails; undefined = neither. */
  readonly sourceError: MirrorFailure | undefined
  /** Milliseconds since the mirror was made, by a clock that never goes back. */
  readonly runningMs: number
}

/** Keys of etcd, whether or not they are selected. */
export interface SnapshotProgress {
  readonly read: number
  readonly total: number
}

export interface MirrorFailure {
  readonly reason: string
  readonly message: string
  readonly hint: string | undefined
  /** Unix ms: the last time. */
  readonly atMs: number
  /** Unix ms: the first time since it last worked. */
  readonly sinceMs: number
}
