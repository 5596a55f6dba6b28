import type { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Bytes, OperationOptions } from './key-value-broker.ts'

/** A key was created or changed. An empty value is a value. */
export interface PutEvent {
  readonly type: 'put'
  readonly key: Buffer
  readonly value: Buffer
  /** Best effort: undefined when the key is new, and when etcd has compacted the value meanwhile. */
  readonly previousValue: Buffer | undefined
  readonly revision: number
}

/** A key was removed, or its lease ended. */
export interface DeleteEvent {
  readonly type: 'delete'
  readonly key: Buffer
  readonly value: undefined
  /** As of `PutEvent`. */
  readonly previousValue: Buffer | undefined
  readonly revision: number
}

/**
 * Events are missing: etcd compacted history that this watch had not seen yet (`compacted`), or another store answers,
 * or an older state of this one (`reset`). What follows are the events after `revision`; to know the state they build on,
 * list `prefix` at `revision`.
 */
export interface ResyncEvent {
  readonly type: 'resync'
  readonly reason: 'compacted' | 'reset'
  /** The watched prefix that is affected, as it was given. */
  readonly prefix: Buffer
  readonly revision: number
}

/** What a watch delivers: `switch` on `type`. */
export type WatchEvent = PutEvent | DeleteEvent | ResyncEvent

/** Where a watch begins and how it ends. `timeoutMs` is the limit of the reads it begins with. */
export interface WatchOptions extends OperationOptions {
  /**
   * Deliver everything that happened after this revision, such as that of a list or of the last event seen; while etcd is
   * away the watch waits for it. Default: the revision that is current when `watch` is called, which has to be read in time.
   */
  readonly fromRevision?: number | undefined
  /** Told each time the watch is interrupted, with the reason; it goes on by itself, without a gap. */
  readonly onInterrupted?: ((error: EtcdMirrorError) => void) | undefined
}

/**
 * The events of a watch, single use. Ascending by revision below each of its prefixes, without a gap over any number of
 * disconnects; a gap that cannot be closed is a `ResyncEvent`. Iterating throws the abort reason, `Closed` when the
 * connection is closed, and whatever kept the watch from starting; `break` ends it as well.
 */
export interface KeyValueWatch extends AsyncIterable<WatchEvent> {
  /**
   * Resolves once it is certain which events will be delivered: all after the revision it resolves to. Waiting for it is
   * needed only by who writes something right afterwards and wants to see it. Rejects with what keeps the watch from starting.
   */
  ready(): Promise<number>
}

/** Watches keys below one prefix, which is taken off the keys of the events. */
export interface KeyValueWatcher {
  /**
   * Watches every key that starts with one of `prefixes` ('' = all); a key below two of them is reported once. Throws
   * `InvalidRevision`, `InvalidArgument`, `KeyTooLarge` or `Closed` at once; a `fromRevision` that is beyond etcd's makes
   * the watch fail with `FutureRevision`.
   */
  watch(prefixes: Bytes | readonly Bytes[], options?: WatchOptions): KeyValueWatch
}
