import type { KeyValue } from '../etcd/key-value.ts'

/** One event of a prefix. At most one per key and revision: etcd refuses a txn that writes a key twice. */
export type Change = PutChange | DeleteChange

export interface PutChange extends KeyValue {
  readonly type: 'put'
}

export interface DeleteChange {
  readonly type: 'delete'
  readonly key: Buffer
  readonly modRevision: number
}
