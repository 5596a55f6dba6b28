import fc from 'fast-check'
import Long from 'long'
import protobuf from 'protobufjs/minimal.js'
import { describe, expect, test } from 'vitest'
import { WireReader } from '../../../src/etcd/wire-reader.ts'

const protocolError = expect.objectContaining({ code: 'ProtocolError' })
const readerOf = (write: (writer: protobuf.Writer) => unknown) => {
  const writer = protobuf.Writer.create()
  write(writer)
  return new WireReader(Buffer.from(writer.finish()))
}

describe('WireReader', () => {
  test('safeInteger reads every safe integer and refuses every other one', () => {
    const edges = [53n, 54n, 56n, 63n].flatMap((power) => [-1n, 0n, 1n].map((step) => 2n ** power + step))
    const any = fc.oneof(
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.maxSafeInteger().map(BigInt),
      fc.constantFrom(...edges.flatMap((edge) => [edge, -edge]).map((edge) => BigInt.asIntN(64, edge))),
    )
    fc.assert(
      fc.property(any, (value) => {
        const reader = readerOf((writer) => writer.int64(Long.fromBigInt(value)))
        if (Number.isSafeInteger(Number(value)) && BigInt(Number(value)) === value) {
          expect(reader.safeInteger()).toBe(Number(value))
          expect(reader.done).toBe(true)
        } else expect(() => reader.safeInteger()).toThrow(protocolError)
      }),
      { numRuns: 2000 },
    )
  })

  test('int64 and uint64 read every id exactly', () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), (value) => {
        const twice = (writer: protobuf.Writer) =>
          writer.uint64(Long.fromBigInt(value, true)).uint64(Long.fromBigInt(value, true))
        const reader = readerOf(twice)
        expect([reader.uint64(), reader.int64()]).toEqual([value, BigInt.asIntN(64, value)])
      }),
    )
  })

  test('bytes are a view of the message, not a copy', () => {
    const message = Buffer.from([2, 65, 66])
    const bytes = new WireReader(message).bytes()
    message[1] = 67
    expect(bytes.toString()).toBe('CB')
  })

  test('an embedded message ends where its length says, and what is behind it is read after leaving it', () => {
    const reader = new WireReader(Buffer.from([2, 7, 8, 9]))
    const outer = reader.enter()
    expect([reader.safeInteger(), reader.safeInteger(), reader.done]).toEqual([7, 8, true])
    expect(() => reader.safeInteger()).toThrow(protocolError)
    reader.leave(outer)
    expect([reader.safeInteger(), reader.done]).toEqual([9, true])
  })

  test('skip passes over one field of each wire type and refuses groups', () => {
    const reader = readerOf((writer) => {
      writer.uint32(800).int64(Long.NEG_ONE)
      writer.uint32(801).fixed64(Long.ONE)
      writer.uint32(802).bytes(Buffer.from('abc'))
      writer.uint32(805).fixed32(1)
      writer.uint32(803)
    })
    for (let field = 0; field < 4; field++) reader.skip(reader.tag())
    expect(() => reader.skip(reader.tag())).toThrow(protocolError)
  })

  test.each([0, 1, 2, 5])(
    'skip refuses a truncated field of wire type %i, however much stands before it',
    (wireType) => {
      const reader = new WireReader(Buffer.alloc(20), 19)
      expect(reader.safeInteger()).toBe(0)
      expect(() => reader.skip(800 + wireType)).toThrow(protocolError)
    },
  )
})
