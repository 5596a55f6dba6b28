import type { KeyValue } from '../etcd/key-value.ts'
import type {
  Comparison,
  DeleteRangeRequest,
  DeleteRangeResponse,
  PutRequest,
  PutResponse,
  RangeRequest,
  RangeResponse,
  RequestOp,
  ResponseHeader,
  ResponseOp,
  TxnRequest,
  WatchCreateRequest,
  WatchResponse,
} from '../etcd/messages.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type {
  Etcd3DeleteResponse,
  Etcd3KeyValue,
  Etcd3PutResponse,
  Etcd3RangeResponse,
  Etcd3Response,
  Etcd3ResponseOp,
  Etcd3WatchResponse,
} from './etcd3-client.ts'

// Between the messages of the `etcd3` package and ours.

export function fromRange(request: RangeRequest): object {
  return {
    key: request.key,
    ...(request.rangeEnd && { range_end: request.rangeEnd }),
    limit: request.limit ?? 0,
    revision: request.revision ?? 0,
    keys_only: request.keysOnly ?? false,
    count_only: request.countOnly ?? false,
    min_mod_revision: request.minModRevision ?? 0,
    serializable: request.serializable ?? false,
  }
}

export function fromPut({ key, value, lease = 0n, prevKv = false }: PutRequest): object {
  return { key, value, lease: String(lease), prev_kv: prevKv }
}

export function fromDelete({ key, rangeEnd, prevKv = false }: DeleteRangeRequest): object {
  return { key, ...(rangeEnd && { range_end: rangeEnd }), prev_kv: prevKv }
}

export function fromTxn({ compare, success, failure }: TxnRequest): object {
  return { compare: compare.map(fromComparison), success: success.map(fromOp), failure: failure.map(fromOp) }
}

export function fromWatchCreate(request: WatchCreateRequest): object {
  return {
    create_request: {
      key: request.key,
      ...(request.rangeEnd && { range_end: request.rangeEnd }),
      start_revision: request.startRevision,
      progress_notify: true,
      fragment: request.fragment ?? false,
      prev_kv: request.prevKv ?? false,
    },
  }
}

export function toHeader({ header }: Etcd3Response): ResponseHeader {
  return {
    clusterId: BigInt(header.cluster_id),
    memberId: BigInt(header.member_id),
    revision: toNumber(header.revision),
    raftTerm: toNumber(header.raft_term),
  }
}

export function toRange({ kvs, more, count }: Etcd3RangeResponse): Omit<RangeResponse, 'header'> {
  return { kvs: kvs.map(toKeyValue), more, count: toNumber(count) }
}

export function toPut({ prev_kv }: Etcd3PutResponse): Omit<PutResponse, 'header'> {
  return { prevKv: prev_kv ? toKeyValue(prev_kv) : undefined }
}

export function toDelete({ deleted, prev_kvs }: Etcd3DeleteResponse): Omit<DeleteRangeResponse, 'header'> {
  return { deleted: toNumber(deleted), prevKvs: prev_kvs.map(toKeyValue) }
}

export function toResponseOp(op: Etcd3ResponseOp): ResponseOp {
  if (op.response_range) return { range: toRange(op.response_range) }
  if (op.response_put) return { put: toPut(op.response_put) }
  if (op.response_delete_range) return { deleteRange: toDelete(op.response_delete_range) }
  throw new EtcdMirrorError('ProtocolError', "Cannot decode etcd's response: unknown operation in a txn", true)
}

export function toWatchResponse(response: Etcd3WatchResponse): WatchResponse {
  return {
    header: toHeader(response),
    watchId: toNumber(response.watch_id),
    created: response.created,
    canceled: response.canceled,
    compactRevision: toNumber(response.compact_revision),
    cancelReason: response.cancel_reason,
    fragment: response.fragment ?? false,
    events: response.events.map(({ type, kv, prev_kv }) => ({
      type: type === 'DELETE' ? 'delete' : 'put',
      kv: toKeyValue(kv),
      prevKv: prev_kv ? toKeyValue(prev_kv) : undefined,
    })),
  }
}

/** Throws `ProtocolError` beyond 2^53. */
export function toNumber(text: string): number {
  const number = Number(text)
  if (Number.isSafeInteger(number)) return number
  throw new EtcdMirrorError('ProtocolError', "Cannot decode etcd's response: integer beyond 2^53", true)
}

function toKeyValue({ key, value, create_revision, mod_revision, version, lease }: Etcd3KeyValue): KeyValue {
  return {
    key,
    value,
    createRevision: toNumber(create_revision),
    modRevision: toNumber(mod_revision),
    version: toNumber(version),
    lease: BigInt(lease),
  }
}

const RESULTS = { equal: 'Equal', greater: 'Greater', less: 'Less', notEqual: 'NotEqual' } as const
const TARGETS = {
  version: { target: 'Version', field: 'version' },
  createRevision: { target: 'Create', field: 'create_revision' },
  modRevision: { target: 'Mod', field: 'mod_revision' },
  value: { target: 'Value', field: 'value' },
  lease: { target: 'Lease', field: 'lease' },
} as const

function fromComparison({ key, result, target: name, operand }: Comparison): object {
  const { target, field } = TARGETS[name]
  return { key, result: RESULTS[result], target, [field]: typeof operand === 'bigint' ? String(operand) : operand }
}

function fromOp(op: RequestOp): object {
  if ('range' in op) return { request_range: fromRange(op.range) }
  return 'put' in op ? { request_put: fromPut(op.put) } : { request_delete_range: fromDelete(op.deleteRange) }
}
