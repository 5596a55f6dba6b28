import type { KeyValue } from '../etcd/key-value.ts'

/** One event of a prefix. At most one per key and revision: etcd refuses a txn that writes a key twice. */
export type Change = PutChange | DeleteChange

export interface PutChange extends KeyValue {
  readonly type: 'put'
  /** Only of a watch with `prevKv`, best effort: etcd may have compacted it. */
  readonly previous?: Buffer
}

export interface DeleteChange {
  readonly type: 'delete'
  readonly key: Buffer
  readonly modRevision: number
  /** As of `PutChange`. */
  readonly previous?: Buffer
}
