import { bufferOf, deleteRangeOf, headerOf, putOf, responseOpOf, revisionNumber } from './decode.ts'
import { deleteRangeProperties, finish, int64, putProperties, rangeProperties, txnProperties } from './encode.ts'
import { etcdserverpb as pb } from './generated/rpc.js'
import { decodeRangeResponse } from './hand-decoders.ts'
import type { RequestOf, ResponseOf, UnaryMethod } from './methods.ts'

export interface UnaryCodec<Method extends UnaryMethod> {
  readonly path: string
  encode(request: RequestOf<Method>): Buffer
  decode(bytes: Buffer): ResponseOf<Method>
}

/** gRPC path, encoder and decoder of every unary call. */
export const UNARY_CODECS: { readonly [Method in UnaryMethod]: UnaryCodec<Method> } = {
  range: {
    path: '/etcdserverpb.KV/Range',
    encode: (request) => finish(pb.RangeRequest.encode(rangeProperties(request))),
    decode: decodeRangeResponse,
  },
  put: {
    path: '/etcdserverpb.KV/Put',
    encode: (request) => finish(pb.PutRequest.encode(putProperties(request))),
    decode(bytes) {
      const response = pb.PutResponse.decode(bytes)
      return { header: headerOf(response.header), ...putOf(response) }
    },
  },
  deleteRange: {
    path: '/etcdserverpb.KV/DeleteRange',
    encode: (request) => finish(pb.DeleteRangeRequest.encode(deleteRangeProperties(request))),
    decode(bytes) {
      const response = pb.DeleteRangeResponse.decode(bytes)
      return { header: headerOf(response.header), ...deleteRangeOf(response) }
    },
  },
  txn: {
    path: '/etcdserverpb.KV/Txn',
    encode: (request) => finish(pb.TxnRequest.encode(txnProperties(request))),
    decode(bytes) {
      const { header, succeeded, responses } = pb.TxnResponse.decode(bytes)
      return { header: headerOf(header), succeeded, responses: responses.map(responseOpOf) }
    },
  },
  compact: {
    path: '/etcdserverpb.KV/Compact',
    encode: ({ revision, physical }) => finish(pb.CompactionRequest.encode({ revision: int64(revision), physical })),
    decode: (bytes) => ({ header: headerOf(pb.CompactionResponse.decode(bytes).header) }),
  },
  leaseGrant: {
    path: '/etcdserverpb.Lease/LeaseGrant',
    encode: ({ ttlSeconds }) => finish(pb.LeaseGrantRequest.encode({ TTL: int64(ttlSeconds) })),
    decode(bytes) {
      const { header, ID, TTL } = pb.LeaseGrantResponse.decode(bytes)
      return { header: headerOf(header), id: ID.toBigInt(), ttlSeconds: revisionNumber(TTL) }
    },
  },
  leaseKeepAlive: {
    // A stream by its definition; one request and one answer on it look on the wire like a unary call.
    path: '/etcdserverpb.Lease/LeaseKeepAlive',
    encode: ({ id }) => finish(pb.LeaseKeepAliveRequest.encode({ ID: int64(id) })),
    decode(bytes) {
      const { header, TTL } = pb.LeaseKeepAliveResponse.decode(bytes)
      return { header: headerOf(header), ttlSeconds: revisionNumber(TTL) }
    },
  },
  leaseRevoke: {
    path: '/etcdserverpb.Lease/LeaseRevoke',
    encode: ({ id }) => finish(pb.LeaseRevokeRequest.encode({ ID: int64(id) })),
    decode: (bytes) => ({ header: headerOf(pb.LeaseRevokeResponse.decode(bytes).header) }),
  },
  leaseTimeToLive: {
    path: '/etcdserverpb.Lease/LeaseTimeToLive',
    encode: ({ id, keys }) => finish(pb.LeaseTimeToLiveRequest.encode({ ID: int64(id), keys: keys ?? false })),
    decode(bytes) {
      const { header, ID, TTL, grantedTTL, keys } = pb.LeaseTimeToLiveResponse.decode(bytes)
      return {
        header: headerOf(header),
        id: ID.toBigInt(),
        ttlSeconds: revisionNumber(TTL),
        grantedTtlSeconds: revisionNumber(grantedTTL),
        keys: keys.map(bufferOf),
      }
    },
  },
  status: {
    path: '/etcdserverpb.Maintenance/Status',
    encode: () => finish(pb.StatusRequest.encode({})),
    decode(bytes) {
      const { header, version, isLearner, errors } = pb.StatusResponse.decode(bytes)
      return { header: headerOf(header), version, isLearner, errors }
    },
  },
  memberList: {
    path: '/etcdserverpb.Cluster/MemberList',
    encode: () => finish(pb.MemberListRequest.encode({})),
    decode(bytes) {
      const { header, members } = pb.MemberListResponse.decode(bytes)
      const memberOf = ({ name, isLearner }: (typeof members)[number]) => ({
        name: name ?? '',
        isLearner: isLearner ?? false,
      })
      return { header: headerOf(header), members: members.map(memberOf) }
    },
  },
  authenticate: {
    path: '/etcdserverpb.Auth/Authenticate',
    encode: (request) => finish(pb.AuthenticateRequest.encode(request)),
    decode: (bytes) => ({ token: pb.AuthenticateResponse.decode(bytes).token }),
  },
}
