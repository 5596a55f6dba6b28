import type Long from 'long'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { mvccpb, etcdserverpb as pb } from './generated/rpc.js'
import type { KeyValue } from './key-value.ts'
import type { DeleteRangeResponse, PutResponse, RangeResponse, ResponseHeader, ResponseOp } from './messages.ts'

// From the generated decoders' messages to ours: this is where `Long` ends.

export function revisionNumber(value: Long): number {
  const number = value.toNumber()
  if (!Number.isSafeInteger(number)) {
    throw new EtcdMirrorError('ProtocolError', "Cannot decode etcd's response: integer beyond 2^53", true)
  }
  return number
}

export function headerOf(header: pb.ResponseHeader.$Properties | null | undefined): ResponseHeader {
  return {
    clusterId: header?.clusterId?.toBigInt() ?? 0n,
    memberId: header?.memberId?.toBigInt() ?? 0n,
    revision: header?.revision ? revisionNumber(header.revision) : 0,
    raftTerm: header?.raftTerm ? revisionNumber(header.raftTerm) : 0,
  }
}

export function keyValueOf(kv: mvccpb.KeyValue.$Properties): KeyValue {
  return {
    key: bufferOf(kv.key),
    value: bufferOf(kv.value),
    createRevision: kv.createRevision ? revisionNumber(kv.createRevision) : 0,
    modRevision: kv.modRevision ? revisionNumber(kv.modRevision) : 0,
    version: kv.version ? revisionNumber(kv.version) : 0,
    lease: kv.lease?.toBigInt() ?? 0n,
  }
}

export function rangeOf(response: pb.RangeResponse.$Properties): Omit<RangeResponse, 'header'> {
  return {
    kvs: (response.kvs ?? []).map(keyValueOf),
    more: response.more ?? false,
    count: response.count ? revisionNumber(response.count) : 0,
  }
}

export function putOf(response: pb.PutResponse.$Properties): Omit<PutResponse, 'header'> {
  return { prevKv: response.prevKv ? keyValueOf(response.prevKv) : undefined }
}

export function deleteRangeOf(response: pb.DeleteRangeResponse.$Properties): Omit<DeleteRangeResponse, 'header'> {
  return {
    deleted: response.deleted ? revisionNumber(response.deleted) : 0,
    prevKvs: (response.prevKvs ?? []).map(keyValueOf),
  }
}

export function responseOpOf(op: pb.ResponseOp.$Properties): ResponseOp {
  if (op.responseRange) return { range: rangeOf(op.responseRange) }
  if (op.responsePut) return { put: putOf(op.responsePut) }
  if (op.responseDeleteRange) return { deleteRange: deleteRangeOf(op.responseDeleteRange) }
  throw new EtcdMirrorError('ProtocolError', "Cannot decode etcd's response: unknown operation in a txn", true)
}

export function bufferOf(bytes: Uint8Array | null | undefined): Buffer {
  return bytes ? Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength) : Buffer.alloc(0)
}
