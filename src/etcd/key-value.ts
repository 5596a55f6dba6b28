/**
 * One key as etcd holds it. `key` and `value` are never changed after decoding and may be views of the larger buffer
 * they came in: copy what is kept.
 */
export interface KeyValue {
  readonly key: Buffer
  readonly value: Buffer
  /** Revision at which the key was created (after its last delete). */
  readonly createRevision: number
  /** Revision of the last change. */
  readonly modRevision: number
  /** 1 when created, + 1 a change. */
  readonly version: number
  /** 0n = none. */
  readonly lease: bigint
}
