import type { KeyValue } from '../etcd/key-value.ts'
import type { Change } from '../replication/change.ts'
import type { Position } from '../replication/position.ts'
import type { SinkError } from './sink-error.ts'

/** The complete state of the prefix, to replace what the target holds. */
export interface SnapshotSource {
  /** Ascending by key. Consumed once, and to its end unless the sink throws. A page error is thrown by the iterator. */
  readonly pages: AsyncIterable<readonly KeyValue[]>
  /**
   * To be called once `pages` has ended. `changes` (newest event per key, usually none) go on top of the pages: they
   * happened while the pages were read. `position` is that of the state with the changes applied.
   */
  finish(): Promise<{ readonly changes: readonly Change[]; readonly position: Position }>
}

/** Whole revisions to go on top of what the target holds: the newest event per key. */
export interface MergedBatch {
  readonly changes: readonly Change[]
  /** Where the target stands once the changes are visible. */
  readonly position: Position
}

export interface WriteResult {
  /** Paths or objects written because they differed. */
  readonly written: number
  /** Paths or objects removed. */
  readonly removed: number
  /** Whether consumers see something new; false when everything was equal already. */
  readonly published: boolean
  /** Keys of the visible state that the target cannot represent: how many, and the first few with their reasons. */
  readonly keyErrors: KeyErrors
  readonly totals: Totals
}

/** What is, or would be, visible: the keys of the copy, representable or not, and the bytes of the represented values. */
export interface Totals {
  readonly keys: number
  readonly bytes: number
}

export interface WriteOptions {
  readonly signal: AbortSignal
  /**
   * Called once with what would become visible, when all of it is staged and none of it is visible. What it throws
   * discards the staging and is rethrown as it is. Not called when nothing differs. Default: everything may.
   */
  readonly admit?: ((next: Totals) => void) | undefined
}

export interface RestoreOptions extends WriteOptions {
  /** Hears what of the visible copy was not as the snapshot has it, in no particular order. Default: nobody does. */
  readonly onDifference?: ReportDifference | undefined
}

/** One path or object of the visible copy that is not as it should be. */
export interface Difference {
  /** Path or object, of the copy. */
  readonly path: string
  /** `type`: something else than a file stands there, such as a symbolic link. */
  readonly kind: 'changed' | 'missing' | 'added' | 'mode' | 'type'
  /** When the key got the value that belongs there; undefined = it belongs to no key, or to many. */
  readonly modRevision: number | undefined
}

export type ReportDifference = (difference: Difference) => void

export interface KeyErrors {
  readonly count: number
  /** At most 10, printable (never raw bytes). */
  readonly examples: readonly { readonly key: string; readonly reason: string }[]
}

export interface OpenOptions {
  readonly signal: AbortSignal
  /** Called when somebody has changed the visible copy and only a snapshot can put it right. Must not throw. */
  readonly onDrift?: () => void
}

/** What stands in the target when it is opened. */
export interface OpenedSink {
  /** Durable position to resume from; undefined = a snapshot is needed. */
  readonly position: Position | undefined
  /** What consumers see right now; undefined = nothing was ever published. */
  readonly published: { readonly revision: number; readonly epoch: number } | undefined
  readonly keyErrors: KeyErrors
  /** Of what consumers see; undefined = nothing, or not known. */
  readonly totals: Totals | undefined
  /** Whether what consumers see was made with the configuration of now; else its keys may be others. */
  readonly isSameConfig: boolean
}

/**
 * A target. Calls come one at a time, but for `verify`. Failures are `SinkError`s and leave what was visible before; the
 * mirror retries them with backoff.
 */
export interface Sink {
  /** Takes the target over and says what stands there. May be called again after it failed. */
  open(options: OpenOptions): Promise<OpenedSink>
  /**
   * Makes the complete state visible and prunes the rest, rewriting nothing that is equal. A page error discards the
   * staging and is rethrown as it is; so is the abort reason.
   */
  restore(source: SnapshotSource, options: RestoreOptions): Promise<WriteResult>
  /**
   * Resolves when a publish could go at once; everything that arrives meanwhile is merged into it. Rejects only with the
   * abort reason: what is wrong with the target is for `apply` to say.
   */
  ready(options: { readonly signal: AbortSignal }): Promise<void>
  /** Makes a batch visible as one. Resolved = visible, and as durable as the target promises. */
  apply(batch: MergedBatch, options: WriteOptions): Promise<WriteResult>
  /** Remembers that nothing changed up to `position`; what consumers see stays as it is. */
  advance(position: Position, options: { readonly signal: AbortSignal }): Promise<void>
  /**
   * Whether what consumers see is what was published, all of it; etcd is not asked. Runs beside `ready`, `apply` and
   * `advance`, and is about something that was visible while it ran. Must have ended before any other call.
   */
  verify(options: { readonly signal: AbortSignal }): Promise<{ readonly sound: boolean }>
  /** What of the visible copy somebody changed and the sink cannot put right, though it keeps trying; undefined = nothing. */
  fault?(): SinkError | undefined
  /** How many objects the copy is made of now; undefined = not known, or it is made of none. Cheap. */
  objects?(): number | undefined
  /**
   * Resolves once everybody who is told of publishes has heard of what is visible now; default: there is nobody. Rejects
   * with `EtcdMirrorError` HookFailed when somebody cannot be told, and with the abort reason.
   */
  told?(options: { readonly signal: AbortSignal }): Promise<void>
  /** Idempotent. Lets the target go; what is visible stays. */
  close(): Promise<void>
}
