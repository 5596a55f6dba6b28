import fc from 'fast-check'
import Long from 'long'
import { describe, expect, test } from 'vitest'
import { encodeWatchCreate, encodeWatchProgress } from '../../../src/etcd/encode.ts'
import { etcdserverpb as pb } from '../../../src/etcd/generated/rpc.js'
import type { Comparison, RequestOp } from '../../../src/etcd/messages.ts'
import { UNARY_CODECS } from '../../../src/etcd/unary-codecs.ts'

const key = Buffer.from([0x2f, 0x00, 0xff])
const rangeEnd = Buffer.from([0x30])
const BIG_ID = 0x7fff_ffff_ffff_fff1n
const HUGE_ID = 2n ** 64n - 3n
const header = {
  clusterId: Long.fromBigInt(HUGE_ID, true),
  memberId: Long.fromBigInt(BIG_ID, true),
  revision: Long.fromNumber(2 ** 40),
  raftTerm: Long.fromNumber(9, true),
}
const expectedHeader = { clusterId: HUGE_ID, memberId: BIG_ID, revision: 2 ** 40, raftTerm: 9 }
const kv = {
  key,
  value: Buffer.from('v'),
  createRevision: Long.fromNumber(3),
  modRevision: Long.fromNumber(2 ** 50),
  version: Long.fromNumber(5),
  lease: Long.fromBigInt(BIG_ID),
}
const expectedKv = { key, value: Buffer.from('v'), createRevision: 3, modRevision: 2 ** 50, version: 5, lease: BIG_ID }
const NO_KEY_VALUE = {
  key: Buffer.alloc(0),
  value: Buffer.alloc(0),
  createRevision: 0,
  modRevision: 0,
  version: 0,
  lease: 0n,
}

type Decoder = { decode(bytes: Uint8Array): object }

/** A request as the generated decoder reads it: integers as decimal text, bytes as hex, only what was set. */
function sent(type: Decoder, bytes: Buffer): unknown {
  const plain = (value: unknown): unknown => {
    if (Long.isLong(value)) return value.toString()
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
    if (Array.isArray(value)) return value.map(plain)
    if (typeof value !== 'object' || value === null) return value
    return Object.fromEntries(Object.entries(value).map(([name, field]) => [name, plain(field)]))
  }
  return plain(type.decode(bytes))
}

const received = (writer: { finish(): Uint8Array }) => Buffer.from(writer.finish())

describe('requests', () => {
  test('range carries every field, and nothing for the defaults', () => {
    const codec = UNARY_CODECS.range
    const full = { key, rangeEnd, limit: 256, revision: 2 ** 50, minModRevision: 2 ** 33 + 1 }
    const flags = { keysOnly: true, countOnly: true, serializable: true }
    expect(sent(pb.RangeRequest, codec.encode({ ...full, ...flags }))).toEqual({
      ...flags,
      key: '2f00ff',
      rangeEnd: '30',
      limit: '256',
      revision: String(2 ** 50),
      minModRevision: String(2 ** 33 + 1),
    })
    expect(sent(pb.RangeRequest, codec.encode({ key }))).toEqual({ key: '2f00ff' })
  })

  test('put and deleteRange carry every field', () => {
    const put = UNARY_CODECS.put.encode({ key, value: Buffer.from('v'), lease: BIG_ID, prevKv: true })
    expect(sent(pb.PutRequest, put)).toEqual({ key: '2f00ff', value: '76', lease: String(BIG_ID), prevKv: true })
    const remove = UNARY_CODECS.deleteRange.encode({ key, rangeEnd, prevKv: true })
    expect(sent(pb.DeleteRangeRequest, remove)).toEqual({ key: '2f00ff', rangeEnd: '30', prevKv: true })
  })

  test.each<[Comparison, object]>([
    [{ key, result: 'equal', target: 'version', operand: 0 }, { version: '0' }],
    [{ key, result: 'greater', target: 'createRevision', operand: 2 ** 41 }, { createRevision: String(2 ** 41) }],
    [{ key, result: 'less', target: 'modRevision', operand: 7 }, { modRevision: '7' }],
    [{ key, result: 'notEqual', target: 'value', operand: Buffer.alloc(0) }, { value: '' }],
    [{ key, result: 'equal', target: 'lease', operand: BIG_ID }, { lease: String(BIG_ID) }],
  ])('txn compares by %o', (comparison, operand) => {
    const request = sent(pb.TxnRequest, UNARY_CODECS.txn.encode({ compare: [comparison], success: [], failure: [] }))
    const { compare } = request as { compare: { target?: number; result?: number }[] }
    const { target = 0, result = 0, ...rest } = compare[0] ?? {}
    expect(pb.Compare.CompareTarget[target]?.toLowerCase()).toBe(
      comparison.target.replace('Revision', '').toLowerCase(),
    )
    expect(pb.Compare.CompareResult[result]).toMatch(new RegExp(`^${comparison.result}$`, 'i'))
    expect(rest).toEqual({ key: '2f00ff', ...operand })
  })

  test('txn carries every kind of operation, in order, in its own branch', () => {
    const success: RequestOp[] = [{ put: { key, value: key } }, { range: { key, limit: 1 } }]
    const failure: RequestOp[] = [{ deleteRange: { key, rangeEnd } }]
    expect(sent(pb.TxnRequest, UNARY_CODECS.txn.encode({ compare: [], success, failure }))).toEqual({
      compare: [],
      success: [{ requestPut: { key: '2f00ff', value: '2f00ff' } }, { requestRange: { key: '2f00ff', limit: '1' } }],
      failure: [{ requestDeleteRange: { key: '2f00ff', rangeEnd: '30' } }],
    })
  })

  test('compact, leases, status and authenticate carry every field', () => {
    const compact = UNARY_CODECS.compact.encode({ revision: 2 ** 52, physical: true })
    expect(sent(pb.CompactionRequest, compact)).toEqual({ revision: String(2 ** 52), physical: true })
    expect(sent(pb.LeaseGrantRequest, UNARY_CODECS.leaseGrant.encode({ ttlSeconds: 60 }))).toEqual({ TTL: '60' })
    expect(sent(pb.LeaseRevokeRequest, UNARY_CODECS.leaseRevoke.encode({ id: BIG_ID }))).toEqual({ ID: String(BIG_ID) })
    const timeToLive = UNARY_CODECS.leaseTimeToLive.encode({ id: BIG_ID, keys: true })
    expect(sent(pb.LeaseTimeToLiveRequest, timeToLive)).toEqual({ ID: String(BIG_ID), keys: true })
    expect(UNARY_CODECS.status.encode({})).toEqual(Buffer.alloc(0))
    const authenticate = UNARY_CODECS.authenticate.encode({ name: 'u', password: 'p' })
    expect(sent(pb.AuthenticateRequest, authenticate)).toEqual({ name: 'u', password: 'p' })
  })

  test('encodeWatchCreate asks for timed progress; encodeWatchProgress asks for one answer', () => {
    const create = encodeWatchCreate({ key, rangeEnd, startRevision: 2 ** 50, fragment: true, prevKv: true })
    expect(sent(pb.WatchRequest, create)).toEqual({
      createRequest: {
        key: '2f00ff',
        rangeEnd: '30',
        startRevision: String(2 ** 50),
        progressNotify: true,
        fragment: true,
        prevKv: true,
        filters: [],
      },
    })
    expect(sent(pb.WatchRequest, encodeWatchProgress())).toEqual({ progressRequest: {} })
  })

  test('every integer that may stand in a request arrives as it was given', () => {
    fc.assert(
      fc.property(fc.maxSafeNat(), fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }), (revision, lease) => {
        expect(pb.RangeRequest.decode(UNARY_CODECS.range.encode({ key, revision })).revision.toNumber()).toBe(revision)
        expect(pb.LeaseRevokeRequest.decode(UNARY_CODECS.leaseRevoke.encode({ id: lease })).ID.toBigInt()).toBe(lease)
      }),
    )
  })
})

describe('responses', () => {
  test('range', () => {
    const message = { header, kvs: [kv], more: true, count: Long.fromNumber(2 ** 35) }
    expect(UNARY_CODECS.range.decode(received(pb.RangeResponse.encode(message)))).toEqual({
      header: expectedHeader,
      kvs: [expectedKv],
      more: true,
      count: 2 ** 35,
    })
  })

  test('put and deleteRange, with and without the key before', () => {
    expect(UNARY_CODECS.put.decode(received(pb.PutResponse.encode({ header, prevKv: kv })))).toEqual({
      header: expectedHeader,
      prevKv: expectedKv,
    })
    expect(UNARY_CODECS.put.decode(received(pb.PutResponse.encode({ header }))).prevKv).toBeUndefined()
    const deleted = { header, deleted: Long.fromNumber(2), prevKvs: [kv, {}] }
    expect(UNARY_CODECS.deleteRange.decode(received(pb.DeleteRangeResponse.encode(deleted)))).toEqual({
      header: expectedHeader,
      deleted: 2,
      prevKvs: [expectedKv, NO_KEY_VALUE],
    })
  })

  test('txn with every kind of operation', () => {
    const responses = [
      { responseRange: { kvs: [kv], count: Long.ONE } },
      { responsePut: { prevKv: kv } },
      { responseDeleteRange: { deleted: Long.ONE } },
    ]
    expect(UNARY_CODECS.txn.decode(received(pb.TxnResponse.encode({ header, succeeded: true, responses })))).toEqual({
      header: expectedHeader,
      succeeded: true,
      responses: [
        { range: { kvs: [expectedKv], more: false, count: 1 } },
        { put: { prevKv: expectedKv } },
        { deleteRange: { deleted: 1, prevKvs: [] } },
      ],
    })
    expect(() => UNARY_CODECS.txn.decode(received(pb.TxnResponse.encode({ responses: [{}] })))).toThrow(
      expect.objectContaining({ code: 'ProtocolError' }),
    )
  })

  test('compact, leases, status and authenticate', () => {
    const ID = Long.fromBigInt(BIG_ID)
    expect(UNARY_CODECS.compact.decode(received(pb.CompactionResponse.encode({ header })))).toEqual({
      header: expectedHeader,
    })
    const grant = { header, ID, TTL: Long.fromNumber(60) }
    expect(UNARY_CODECS.leaseGrant.decode(received(pb.LeaseGrantResponse.encode(grant)))).toEqual({
      header: expectedHeader,
      id: BIG_ID,
      ttlSeconds: 60,
    })
    expect(UNARY_CODECS.leaseRevoke.decode(received(pb.LeaseRevokeResponse.encode({ header })))).toEqual({
      header: expectedHeader,
    })
    const timeToLive = { header, ID, TTL: Long.NEG_ONE, grantedTTL: Long.fromNumber(60), keys: [key] }
    expect(UNARY_CODECS.leaseTimeToLive.decode(received(pb.LeaseTimeToLiveResponse.encode(timeToLive)))).toEqual({
      header: expectedHeader,
      id: BIG_ID,
      ttlSeconds: -1,
      grantedTtlSeconds: 60,
      keys: [key],
    })
    const status = { header, version: '3.6.16', isLearner: true, errors: ['NOSPACE'] }
    expect(UNARY_CODECS.status.decode(received(pb.StatusResponse.encode(status)))).toEqual({
      header: expectedHeader,
      version: '3.6.16',
      isLearner: true,
      errors: ['NOSPACE'],
    })
    const members = [{ ID: Long.fromBigInt(HUGE_ID, true), name: 'one', isLearner: true }, {}]
    expect(UNARY_CODECS.memberList.decode(received(pb.MemberListResponse.encode({ header, members })))).toEqual({
      header: expectedHeader,
      members: [
        { name: 'one', isLearner: true },
        { name: '', isLearner: false },
      ],
    })
    expect(UNARY_CODECS.authenticate.decode(received(pb.AuthenticateResponse.encode({ token: 't' })))).toEqual({
      token: 't',
    })
  })

  test.each(Object.entries(UNARY_CODECS).filter(([name]) => name !== 'authenticate'))(
    '%s without anything in it has the defaults, never undefined',
    (_name, codec) => {
      const response = codec.decode(Buffer.alloc(0)) as object
      expect(response).toMatchObject({ header: { clusterId: 0n, memberId: 0n, revision: 0, raftTerm: 0 } })
      expect(Object.entries(response).filter(([field, value]) => value === undefined && field !== 'prevKv')).toEqual([])
    },
  )

  test.each(Object.entries(UNARY_CODECS).filter(([name]) => name !== 'authenticate'))(
    '%s refuses a revision beyond 2^53 with a ProtocolError, and truncated bytes',
    (_name, codec) => {
      const whole = received(pb.PutResponse.encode({ header: { revision: Long.fromBigInt(2n ** 53n) } }))
      const broken = expect.objectContaining({ code: 'ProtocolError', retryable: true })
      expect(() => codec.decode(whole)).toThrow(broken)
      expect(() => codec.decode(whole.subarray(0, -1))).toThrow()
    },
  )
})
