// The messages of the `etcd3` package as far as they are read and written here: snake_case, 64-bit integers as decimal text.

interface Etcd3Header {
  readonly cluster_id: string
  readonly member_id: string
  readonly revision: string
  readonly raft_term: string
}

export interface Etcd3KeyValue {
  readonly key: Buffer
  readonly value: Buffer
  readonly create_revision: string
  readonly mod_revision: string
  readonly version: string
  readonly lease: string
}

export interface Etcd3Response {
  readonly header: Etcd3Header
}

export interface Etcd3RangeResponse extends Etcd3Response {
  readonly kvs: readonly Etcd3KeyValue[]
  readonly more: boolean
  readonly count: string
}

export interface Etcd3PutResponse extends Etcd3Response {
  readonly prev_kv: Etcd3KeyValue | null
}

export interface Etcd3DeleteResponse extends Etcd3Response {
  readonly deleted: string
  readonly prev_kvs: readonly Etcd3KeyValue[]
}

export interface Etcd3ResponseOp {
  readonly response_range: Etcd3RangeResponse | null
  readonly response_put: Etcd3PutResponse | null
  readonly response_delete_range: Etcd3DeleteResponse | null
}

export interface Etcd3TxnResponse extends Etcd3Response {
  readonly succeeded: boolean
  readonly responses: readonly Etcd3ResponseOp[]
}

export interface Etcd3LeaseResponse extends Etcd3Response {
  readonly ID: string
  readonly TTL: string
}

export interface Etcd3WatchResponse extends Etcd3Response {
  readonly watch_id: string
  readonly created: boolean
  readonly canceled: boolean
  readonly compact_revision: string
  readonly cancel_reason: string
  readonly fragment?: boolean
  readonly events: readonly {
    readonly type: string
    readonly kv: Etcd3KeyValue
    readonly prev_kv: Etcd3KeyValue | null
  }[]
}

/** A stream of the package: one event a response. */
export interface Etcd3Stream<Response> {
  on(event: 'data', listener: (response: Response) => void): unknown
  on(event: 'end', listener: () => void): unknown
  on(event: 'error', listener: (error: Error) => void): unknown
  write(request: object): unknown
  cancel(): void
}

interface Etcd3CallOptions {
  readonly deadline?: number
}

type Call<Response> = (request: object, options?: Etcd3CallOptions) => Promise<Response>

/**
 * What is used of an `Etcd3` instance (or a namespace of one: its prefix does not count here) of the npm package `etcd3`,
 * version 1.1. Programs without the package compile.
 */
export interface Etcd3Client {
  readonly kv: {
    readonly range: Call<Etcd3RangeResponse>
    readonly put: Call<Etcd3PutResponse>
    readonly deleteRange: Call<Etcd3DeleteResponse>
    readonly txn: Call<Etcd3TxnResponse>
    readonly compact: Call<Etcd3Response>
  }
  readonly leaseClient: {
    readonly leaseGrant: Call<Etcd3LeaseResponse>
    readonly leaseRevoke: Call<Etcd3Response>
    readonly leaseTimeToLive: Call<
      Etcd3LeaseResponse & { readonly grantedTTL: string; readonly keys: readonly Buffer[] }
    >
    readonly leaseKeepAlive: () => Promise<Etcd3Stream<Etcd3LeaseResponse>>
  }
  readonly watchClient: { readonly watch: () => Promise<Etcd3Stream<Etcd3WatchResponse>> }
  readonly maintenance?: {
    readonly status: (
      options?: Etcd3CallOptions,
    ) => Promise<
      Etcd3Response & { readonly version: string; readonly errors?: readonly string[]; readonly isLearner?: boolean }
    >
  }
}
