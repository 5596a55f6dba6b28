import type { KeyValue } from './key-value.ts'

/** etcd's messages as this project uses them: revisions are safe integers, ids bigint, absent fields have defaults. */
export interface ResponseHeader {
  /** 0n behind some proxies. */
  readonly clusterId: bigint
  readonly memberId: bigint
  /** The store's revision when the member answered; never a resume point while a backlog is possible. */
  readonly revision: number
  readonly raftTerm: number
}

export interface RangeRequest {
  readonly key: Uint8Array
  /** Absent = the one key. */
  readonly rangeEnd?: Uint8Array | undefined
  /** Default 0 = no limit. */
  readonly limit?: number
  /** Default 0 = the current one. */
  readonly revision?: number
  readonly keysOnly?: boolean
  readonly countOnly?: boolean
  readonly minModRevision?: number
  /** Default false = linearizable. */
  readonly serializable?: boolean
}

export interface RangeResponse {
  readonly header: ResponseHeader
  readonly kvs: readonly KeyValue[]
  /** More keys are in the range than `limit` let through. */
  readonly more: boolean
  /** All keys in the range, whatever the limit and the revision filters. */
  readonly count: number
}

export interface PutRequest {
  readonly key: Uint8Array
  readonly value: Uint8Array
  readonly lease?: bigint
  readonly prevKv?: boolean
}

export interface PutResponse {
  readonly header: ResponseHeader
  readonly prevKv: KeyValue | undefined
}

export interface DeleteRangeRequest {
  readonly key: Uint8Array
  readonly rangeEnd?: Uint8Array | undefined
  readonly prevKv?: boolean
}

export interface DeleteRangeResponse {
  readonly header: ResponseHeader
  readonly deleted: number
  readonly prevKvs: readonly KeyValue[]
}

export type Comparison = { readonly key: Uint8Array; readonly result: 'equal' | 'greater' | 'less' | 'notEqual' } & (
  | { readonly target: 'version' | 'createRevision' | 'modRevision'; readonly operand: number }
  | { readonly target: 'value'; readonly operand: Uint8Array }
  | { readonly target: 'lease'; readonly operand: bigint }
)

export type RequestOp =
  | { readonly range: RangeRequest }
  | { readonly put: PutRequest }
  | { readonly deleteRange: DeleteRangeRequest }

export type ResponseOp =
  | { readonly range: Omit<RangeResponse, 'header'> }
  | { readonly put: Omit<PutResponse, 'header'> }
  | { readonly deleteRange: Omit<DeleteRangeResponse, 'header'> }

export interface TxnRequest {
  readonly compare: readonly Comparison[]
  readonly success: readonly RequestOp[]
  readonly failure: readonly RequestOp[]
}

export interface TxnResponse {
  readonly header: ResponseHeader
  /** Whether every comparison held. */
  readonly succeeded: boolean
  readonly responses: readonly ResponseOp[]
}

export interface CompactRequest {
  readonly revision: number
  /** Answer only when the history is gone from disk. */
  readonly physical: boolean
}

export interface CompactResponse {
  readonly header: ResponseHeader
}

export interface LeaseGrantRequest {
  readonly ttlSeconds: number
}

export interface LeaseGrantResponse {
  readonly header: ResponseHeader
  readonly id: bigint
  readonly ttlSeconds: number
}

export interface LeaseRevokeRequest {
  readonly id: bigint
}

export interface LeaseRevokeResponse {
  readonly header: ResponseHeader
}

export interface LeaseKeepAliveRequest {
  readonly id: bigint
}

export interface LeaseKeepAliveResponse {
  readonly header: ResponseHeader
  /** Seconds the lease lives from now on; 0 = it does not exist (any more). */
  readonly ttlSeconds: number
}

export interface StatusResponse {
  readonly header: ResponseHeader
  /** Such as "3.6.16". */
  readonly version: string
  readonly isLearner: boolean
  /** Alarms and other states of the member, as text. */
  readonly errors: readonly string[]
}

export interface ClusterMember {
  /** '' = it was added and has not started yet. */
  readonly name: string
  readonly isLearner: boolean
}

export interface MemberListResponse {
  readonly header: ResponseHeader
  readonly members: readonly ClusterMember[]
}

export interface AuthenticateRequest {
  readonly name: string
  readonly password: string
}

export interface AuthenticateResponse {
  readonly token: string
}

export interface WatchCreateRequest {
  readonly key: Uint8Array
  readonly rangeEnd?: Uint8Array | undefined
  /** > 0: a watch from "now" has a gap behind whatever was read before. */
  readonly startRevision: number
  /** Let the server cut large responses into pieces. Default false. */
  readonly fragment?: boolean
  readonly prevKv?: boolean
}

export interface WatchEvent {
  readonly type: 'put' | 'delete'
  /** Of a delete only `key` and `modRevision` mean something. */
  readonly kv: KeyValue
  readonly prevKv: KeyValue | undefined
}

export interface WatchResponse {
  readonly header: ResponseHeader
  /** -1 in an answer to a progress request. */
  readonly watchId: number
  readonly created: boolean
  readonly canceled: boolean
  /** > 0 on a cancel: the start revision was compacted up to here. */
  readonly compactRevision: number
  readonly cancelReason: string
  /** More pieces of the same response follow. */
  readonly fragment: boolean
  readonly events: readonly WatchEvent[]
}

export interface LeaseTimeToLiveRequest {
  readonly id: bigint
  readonly keys?: boolean
}

export interface LeaseTimeToLiveResponse {
  readonly header: ResponseHeader
  readonly id: bigint
  /** Seconds left; -1 = the lease does not exist (any more). */
  readonly ttlSeconds: number
  readonly grantedTtlSeconds: number
  readonly keys: readonly Buffer[]
}
