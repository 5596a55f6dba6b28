import Long from 'long'
import { etcdserverpb as pb } from './generated/rpc.js'
import type {
  Comparison,
  DeleteRangeRequest,
  PutRequest,
  RangeRequest,
  RequestOp,
  TxnRequest,
  WatchCreateRequest,
} from './messages.ts'

type Writer = { finish(): Uint8Array }

/** Finished bytes as the Buffer that grpc-js wants. */
export function finish(writer: Writer): Buffer {
  const bytes = writer.finish()
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
}

export function int64(value: number | bigint): Long {
  return typeof value === 'bigint' ? Long.fromBigInt(value) : Long.fromNumber(value)
}

export function rangeProperties(request: RangeRequest): pb.RangeRequest.$Properties {
  return {
    key: request.key,
    rangeEnd: request.rangeEnd ?? null,
    limit: int64(request.limit ?? 0),
    revision: int64(request.revision ?? 0),
    keysOnly: request.keysOnly ?? false,
    countOnly: request.countOnly ?? false,
    minModRevision: int64(request.minModRevision ?? 0),
    serializable: request.serializable ?? false,
  }
}

export function putProperties(request: PutRequest): pb.PutRequest.$Properties {
  return {
    key: request.key,
    value: request.value,
    lease: int64(request.lease ?? 0n),
    prevKv: request.prevKv ?? false,
  }
}

export function deleteRangeProperties(request: DeleteRangeRequest): pb.DeleteRangeRequest.$Properties {
  return { key: request.key, rangeEnd: request.rangeEnd ?? null, prevKv: request.prevKv ?? false }
}

export function txnProperties(request: TxnRequest): pb.TxnRequest.$Properties {
  return {
    compare: request.compare.map(compareProperties),
    success: request.success.map(opProperties),
    failure: request.failure.map(opProperties),
  }
}

export function encodeWatchCreate(request: WatchCreateRequest): Buffer {
  return finish(
    pb.WatchRequest.encode({
      createRequest: {
        key: request.key,
        rangeEnd: request.rangeEnd ?? null,
        startRevision: int64(request.startRevision),
        // The server's own timer keeps even a watch that never asks from being stranded by compaction.
        progressNotify: true,
        fragment: request.fragment ?? false,
        prevKv: request.prevKv ?? false,
      },
    }),
  )
}

export function encodeWatchCancel(watchId: number): Buffer {
  return finish(pb.WatchRequest.encode({ cancelRequest: { watchId: int64(watchId) } }))
}

export function encodeWatchProgress(): Buffer {
  return finish(pb.WatchRequest.encode({ progressRequest: {} }))
}

const RESULT = {
  equal: pb.Compare.CompareResult.Equal,
  greater: pb.Compare.CompareResult.Greater,
  less: pb.Compare.CompareResult.Less,
  notEqual: pb.Compare.CompareResult.NotEqual,
}

function compareProperties(comparison: Comparison): pb.Compare.$Properties {
  const common = { key: comparison.key, result: RESULT[comparison.result] }
  const target = pb.Compare.CompareTarget
  switch (comparison.target) {
    case 'version':
      return { ...common, target: target.Version, version: int64(comparison.operand) }
    case 'createRevision':
      return { ...common, target: target.Create, createRevision: int64(comparison.operand) }
    case 'modRevision':
      return { ...common, target: target.Mod, modRevision: int64(comparison.operand) }
    case 'value':
      return { ...common, target: target.Value, value: comparison.operand }
    case 'lease':
      return { ...common, target: target.Lease, lease: int64(comparison.operand) }
  }
}

function opProperties(op: RequestOp): pb.RequestOp.$Properties {
  if ('range' in op) return { requestRange: rangeProperties(op.range) }
  if ('put' in op) return { requestPut: putProperties(op.put) }
  return { requestDeleteRange: deleteRangeProperties(op.deleteRange) }
}
