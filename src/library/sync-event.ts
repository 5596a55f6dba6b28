import type { KeyValue } from './key-value-broker.ts'

interface SyncEventBase {
  /** Of the delivery of this event, from 1 on. */
  readonly attempt: number
  /**
   * Tells what came of it: with an error it is delivered again after a pause, as it is then. Asking for the next event
   * without a call means that it worked.
   */
  done(error?: unknown): void
}

/** The complete state of the subscribed prefixes, at one revision. */
export interface SyncResyncEvent extends SyncEventBase {
  readonly type: 'resync'
  /** start: the first · compacted, reset: changes are missing · request: somebody asked for it. */
  readonly reason: 'start' | 'compacted' | 'reset' | 'request'
  readonly revision: number
  /** By prefix, in the order of the subscription; each in ascending order of keys. */
  readonly values: ReadonlyMap<string, readonly KeyValue[]>
  /** What the subscriber knew and is there no more, as it knew it. */
  readonly obsolete: readonly KeyValue[]
}

/** One key changed. */
export interface SyncChangeEvent extends SyncEventBase {
  readonly type: 'put' | 'delete'
  readonly key: Buffer
  /** undefined for a delete. */
  readonly value: Buffer | undefined
  /** What the subscriber knew before, whatever etcd has compacted; undefined = nothing. */
  readonly previousValue: Buffer | undefined
  readonly revision: number
}

/** What a subscription delivers: `switch` on `type`. */
export type SyncEvent = SyncResyncEvent | SyncChangeEvent
