import fc from 'fast-check'
import Long from 'long'
import { etcdserverpb as pb } from '../../../../src/etcd/generated/rpc.js'
import { decodeRangeResponse, decodeWatchResponse } from '../../../../src/etcd/hand-decoders.ts'
import { UNARY_CODECS } from '../../../../src/etcd/unary-codecs.ts'
import { EtcdMirrorError } from '../../../../src/util/etcd-mirror-error.ts'

const header = {
  clusterId: Long.MAX_UNSIGNED_VALUE,
  memberId: Long.fromNumber(7, true),
  revision: Long.fromNumber(2 ** 40),
  raftTerm: Long.fromNumber(9, true),
}
const kv = (name: string, bytes: number) => ({
  key: Buffer.from(`/config/app/${name}`),
  value: Buffer.alloc(bytes, 'v'),
  createRevision: Long.fromNumber(3),
  modRevision: Long.fromNumber(2 ** 40),
  version: Long.fromNumber(5),
  lease: Long.fromNumber(2 ** 50),
})
/** Answers as a server sends them, of every kind that is decoded. */
const MESSAGES = [
  pb.RangeResponse.encode({ header, kvs: [kv('a', 3), kv('b', 300)], more: true, count: Long.fromNumber(2) }),
  pb.WatchResponse.encode({ header, created: true }),
  pb.WatchResponse.encode({ header, events: [{ kv: kv('a', 40) }, { type: 1, kv: kv('b', 0), prevKv: kv('b', 9) }] }),
  pb.WatchResponse.encode({ header, canceled: true, compactRevision: Long.fromNumber(9), cancelReason: 'compacted' }),
  pb.WatchResponse.encode({ header, watchId: Long.NEG_ONE }),
  pb.TxnResponse.encode({
    header,
    succeeded: true,
    responses: [{ responsePut: { header } }, { responseRange: { header, kvs: [kv('c', 2)] } }],
  }),
  pb.StatusResponse.encode({ header, version: '3.6.0', errors: ['NOSPACE'] }),
  pb.AuthenticateResponse.encode({ header, token: 'token' }),
].map((writer) => Buffer.from(writer.finish()))

const mutation = fc.record({
  kind: fc.constantFrom('set', 'flip', 'cut', 'insert', 'repeat', 'drop', 'splice'),
  at: fc.nat(),
  length: fc.nat(20),
  byte: fc.oneof(fc.constantFrom(0, 1, 0x0a, 0x12, 0x5a, 0x7f, 0x80, 0xff), fc.nat(255)),
  other: fc.nat(MESSAGES.length - 1),
})
type Mutation = typeof mutation extends fc.Arbitrary<infer Value> ? Value : never

function mutate(bytes: Buffer, { kind, at, length, byte, other }: Mutation): Buffer {
  const place = at % (bytes.length + 1)
  const [before, after] = [bytes.subarray(0, place), bytes.subarray(place)]
  switch (kind) {
    case 'set':
      return Buffer.concat([before, Buffer.from([byte]), after.subarray(1)])
    case 'flip':
      return Buffer.concat([before, Buffer.from([(after[0] ?? 0) ^ (1 << (byte & 7))]), after.subarray(1)])
    case 'cut':
      return before
    case 'insert':
      return Buffer.concat([before, Buffer.alloc(length, byte), after])
    case 'repeat':
      return Buffer.concat([before, after.subarray(0, length), after])
    case 'drop':
      return Buffer.concat([before, after.subarray(length)])
    default:
      return Buffer.concat([before, MESSAGES[other] ?? before, after])
  }
}

const message = fc
  .tuple(fc.constantFrom(...MESSAGES), fc.array(mutation, { minLength: 1, maxLength: 6 }))
  .map(([whole, mutations]) => mutations.reduce(mutate, whole))

export const wireTarget = {
  name: 'wire',
  slice: 3000,
  property: fc.property(message, (bytes) => {
    for (const decode of [decodeRangeResponse, decodeWatchResponse]) {
      try {
        decode(bytes)
      } catch (error) {
        if (!(error instanceof EtcdMirrorError) || error.code !== 'ProtocolError') throw error
      }
    }
    // What the generated decoders throw becomes a ProtocolError in the client, whatever it is.
    for (const codec of Object.values(UNARY_CODECS)) {
      try {
        codec.decode(bytes)
      } catch (error) {
        if (!(error instanceof Error) || error.message.includes('call stack')) throw error
      }
    }
  }),
}
