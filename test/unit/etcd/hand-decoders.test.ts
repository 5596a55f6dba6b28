import fc from 'fast-check'
import Long from 'long'
import protobuf from 'protobufjs/minimal.js'
import { describe, expect, test } from 'vitest'
import { etcdserverpb as pb } from '../../../src/etcd/generated/rpc.js'
import { decodeRangeResponse, decodeWatchResponse } from '../../../src/etcd/hand-decoders.ts'
import type { KeyValue } from '../../../src/etcd/key-value.ts'
import type { RangeResponse, ResponseHeader, WatchEvent, WatchResponse } from '../../../src/etcd/messages.ts'
import { EtcdMirrorError } from '../../../src/util/etcd-mirror-error.ts'

const bytes = fc.uint8Array({ maxLength: 20 })
const uint64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n })
const int64 = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n })
const safe = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(0, 1, -1, 127, 128, 2 ** 28 - 1, 2 ** 28, 2 ** 35, 2 ** 49, Number.MAX_SAFE_INTEGER),
)
const safeNat = fc.maxSafeNat()

/** Fields of numbers that no etcd message has, of every wire type, one after the other. */
const unknowns = fc.array(
  fc
    .tuple(fc.integer({ min: 100, max: 2 ** 29 - 1 }), fc.constantFrom(0, 1, 2, 5), bytes)
    .map(([field, type, payload]) => {
      const writer = protobuf.Writer.create().uint32(field * 8 + type)
      if (type === 0) writer.uint64(Long.fromBits(payload[0] ?? 0, payload[1] ?? 0, true).negate())
      else if (type === 1) writer.fixed64(Long.fromInt(payload[0] ?? 0))
      else if (type === 2) writer.bytes(payload)
      else writer.fixed32(payload[0] ?? 0)
      return writer.finish()
    }),
  { maxLength: 3 },
)

const header = fc.record({
  clusterId: uint64.map((id) => Long.fromBigInt(id, true)),
  memberId: uint64.map((id) => Long.fromBigInt(id, true)),
  revision: safe.map((value) => Long.fromNumber(value)),
  raftTerm: safeNat.map((value) => Long.fromNumber(value, true)),
  $unknowns: unknowns,
})
const optional = <Value>(value: fc.Arbitrary<Value>) => fc.option(value, { nil: null })
const keyValue = fc.record({
  key: optional(bytes),
  value: optional(bytes),
  createRevision: safe.map((value) => Long.fromNumber(value)),
  modRevision: safe.map((value) => Long.fromNumber(value)),
  version: safe.map((value) => Long.fromNumber(value)),
  lease: int64.map((id) => Long.fromBigInt(id)),
  $unknowns: unknowns,
})
const rangePart = fc.oneof(
  fc.record({ header }),
  fc.record({ kvs: fc.array(keyValue, { maxLength: 3 }) }),
  fc.record({ more: fc.boolean() }),
  fc.record({ count: safe.map((value) => Long.fromNumber(value)) }),
  fc.record({ $unknowns: unknowns }),
)
const watchPart = fc.oneof(
  fc.record({ header }),
  fc.record({ watchId: fc.oneof(fc.constant(-1), safe).map((value) => Long.fromNumber(value)) }),
  fc.record({ created: fc.boolean() }),
  fc.record({ canceled: fc.boolean() }),
  fc.record({ compactRevision: safe.map((value) => Long.fromNumber(value)) }),
  fc.record({ cancelReason: fc.string({ unit: 'grapheme' }) }),
  fc.record({ fragment: fc.boolean() }),
  fc.record({
    events: fc.array(
      fc.record({
        type: fc.constantFrom(0, 1),
        kv: optional(keyValue),
        prevKv: optional(keyValue),
        $unknowns: unknowns,
      }),
      { maxLength: 3 },
    ),
  }),
  fc.record({ $unknowns: unknowns }),
)

const rangeMessage = fc
  .array(rangePart, { maxLength: 6 })
  .map((parts) => Buffer.concat(oneHeader(parts).map((part) => pb.RangeResponse.encode(part).finish())))
const watchMessage = fc
  .array(watchPart, { maxLength: 8 })
  .map((parts) => Buffer.concat(oneHeader(parts).map((part) => pb.WatchResponse.encode(part).finish())))

describe('decodeRangeResponse', () => {
  test('equals the generated decoder for any fields in any order, with unknown ones between them', () => {
    fc.assert(
      fc.property(rangeMessage, (message) => {
        expect(decodeRangeResponse(message)).toEqual(rangeOf(pb.RangeResponse.decode(message)))
      }),
      { numRuns: 1000 },
    )
  })

  test('takes an empty message for an empty range', () => {
    expect(decodeRangeResponse(Buffer.alloc(0))).toEqual(rangeOf(pb.RangeResponse.decode(Buffer.alloc(0))))
  })
})

describe('decodeWatchResponse', () => {
  test('equals the generated decoder for any fields in any order, with unknown ones between them', () => {
    fc.assert(
      fc.property(watchMessage, (message) => {
        expect(decodeWatchResponse(message)).toEqual(watchOf(pb.WatchResponse.decode(message)))
      }),
      { numRuns: 1000 },
    )
  })

  test('knows watch id -1, ids beyond 2^53 and an event without a key', () => {
    const message = Buffer.from(
      pb.WatchResponse.encode({
        header: { clusterId: Long.MAX_UNSIGNED_VALUE, revision: Long.fromNumber(7) },
        watchId: Long.NEG_ONE,
        events: [{ type: 1 }],
      }).finish(),
    )
    const { header, watchId, events } = decodeWatchResponse(message)
    expect([header.clusterId, header.revision, watchId, events[0]?.type]).toEqual([2n ** 64n - 1n, 7, -1, 'delete'])
    expect(events[0]?.kv.key).toEqual(Buffer.alloc(0))
  })
})

describe.each([
  ['decodeRangeResponse', decodeRangeResponse, rangeMessage],
  ['decodeWatchResponse', decodeWatchResponse, watchMessage],
] as const)('%s', (_name, decode, message) => {
  test('throws nothing but a ProtocolError on any bytes', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (noise) => onlyProtocolErrors(() => decode(Buffer.from(noise)))),
      { numRuns: 3000 },
    )
  })

  test('throws nothing but a ProtocolError on a message with changed and missing bytes', () => {
    fc.assert(
      fc.property(message, fc.nat(), fc.nat(), fc.nat(255), (whole, cut, at, to) => {
        const broken = Buffer.from(whole.subarray(0, cut % (whole.length + 1)))
        if (broken.length > 0) broken[at % broken.length] = to
        onlyProtocolErrors(() => decode(broken))
      }),
      { numRuns: 2000 },
    )
  })

  test.each([
    ['a length that claims 4 GiB', [0x12, 0xff, 0xff, 0xff, 0xff, 0x0f]],
    ['a length beyond 2^53', [0x5a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f]],
    ['a negative length', [0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]],
    ['a length that leads back to its own tag', [0x0a, 0xf5, ...Array<number>(8).fill(0xff), 0x01]],
    ['a length one byte beyond the end', [0x0a, 0x02, 0x08]],
    ['field number zero', [0x00, 0x00]],
    ['a tag beyond 32 bits', [0xf8, 0xff, 0xff, 0xff, 0xff, 0x01, 0x00]],
    ['a group', [0x0b, 0x0c]],
    ['an endless integer', [0x20, ...Array<number>(20).fill(0xff)]],
    ['a tag without its field', [0x0a]],
  ])('throws a ProtocolError for %s', (_what, hostile) => {
    expect(() => decode(Buffer.from(hostile))).toThrow(
      expect.objectContaining({ code: 'ProtocolError', retryable: true }),
    )
  })
})

/** A repeated header would be merged by one decoder and replaced by the other; etcd never sends one. */
function oneHeader<Part extends object>(parts: readonly Part[]): readonly Part[] {
  const first = parts.findIndex((part) => 'header' in part)
  return parts.filter((part, index) => !('header' in part) || index === first)
}

function onlyProtocolErrors(decode: () => unknown): void {
  try {
    decode()
  } catch (error) {
    if (!(error instanceof EtcdMirrorError) || error.code !== 'ProtocolError') throw error
  }
}

function rangeOf(message: pb.RangeResponse.$Properties): RangeResponse {
  return {
    header: headerOf(message.header),
    kvs: (message.kvs ?? []).map(keyValueOf),
    more: message.more ?? false,
    count: Number(message.count ?? 0),
  }
}

function watchOf(message: pb.WatchResponse.$Properties): WatchResponse {
  return {
    header: headerOf(message.header),
    watchId: Number(message.watchId ?? 0),
    created: message.created ?? false,
    canceled: message.canceled ?? false,
    compactRevision: Number(message.compactRevision ?? 0),
    cancelReason: message.cancelReason ?? '',
    fragment: message.fragment ?? false,
    events: (message.events ?? []).map(
      ({ type, kv, prevKv }): WatchEvent => ({
        type: type === 1 ? 'delete' : 'put',
        kv: keyValueOf(kv ?? {}),
        prevKv: prevKv ? keyValueOf(prevKv) : undefined,
      }),
    ),
  }
}

function headerOf(message: pb.ResponseHeader.$Properties | null | undefined): ResponseHeader {
  return {
    clusterId: BigInt(String(message?.clusterId ?? 0)),
    memberId: BigInt(String(message?.memberId ?? 0)),
    revision: Number(message?.revision ?? 0),
    raftTerm: Number(message?.raftTerm ?? 0),
  }
}

type PbKeyValue = NonNullable<pb.RangeResponse.$Properties['kvs']>[number]

function keyValueOf(message: PbKeyValue): KeyValue {
  return {
    key: Buffer.from(message.key ?? []),
    value: Buffer.from(message.value ?? []),
    createRevision: Number(message.createRevision ?? 0),
    modRevision: Number(message.modRevision ?? 0),
    version: Number(message.version ?? 0),
    lease: BigInt(String(message.lease ?? 0)),
  }
}
