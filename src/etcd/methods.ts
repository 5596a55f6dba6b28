import type {
  AuthenticateRequest,
  AuthenticateResponse,
  CompactRequest,
  CompactResponse,
  DeleteRangeRequest,
  DeleteRangeResponse,
  LeaseGrantRequest,
  LeaseGrantResponse,
  LeaseKeepAliveRequest,
  LeaseKeepAliveResponse,
  LeaseRevokeRequest,
  LeaseRevokeResponse,
  LeaseTimeToLiveRequest,
  LeaseTimeToLiveResponse,
  MemberListResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  StatusResponse,
  TxnRequest,
  TxnResponse,
} from './messages.ts'

/** The unary calls of etcd's API that this project makes, by the name it gives them. */
export interface UnaryMethods {
  readonly range: { readonly request: RangeRequest; readonly response: RangeResponse }
  readonly put: { readonly request: PutRequest; readonly response: PutResponse }
  readonly deleteRange: { readonly request: DeleteRangeRequest; readonly response: DeleteRangeResponse }
  readonly txn: { readonly request: TxnRequest; readonly response: TxnResponse }
  readonly compact: { readonly request: CompactRequest; readonly response: CompactResponse }
  readonly leaseGrant: { readonly request: LeaseGrantRequest; readonly response: LeaseGrantResponse }
  readonly leaseKeepAlive: { readonly request: LeaseKeepAliveRequest; readonly response: LeaseKeepAliveResponse }
  readonly leaseRevoke: { readonly request: LeaseRevokeRequest; readonly response: LeaseRevokeResponse }
  readonly leaseTimeToLive: { readonly request: LeaseTimeToLiveRequest; readonly response: LeaseTimeToLiveResponse }
  readonly status: { readonly request: Readonly<Record<string, never>>; readonly response: StatusResponse }
  readonly memberList: { readonly request: Readonly<Record<string, never>>; readonly response: MemberListResponse }
  readonly authenticate: { readonly request: AuthenticateRequest; readonly response: AuthenticateResponse }
}

export type UnaryMethod = keyof UnaryMethods
export type RequestOf<Method extends UnaryMethod> = UnaryMethods[Method]['request']
export type ResponseOf<Method extends UnaryMethod> = UnaryMethods[Method]['response']
