import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { prefixRange } from '../../../src/replication/prefix-range.ts'

const bytes = (...values: number[]) => Buffer.from(values)
/** Few different bytes, so that prefixes and neighbours come up. */
const someBytes = fc
  .array(fc.constantFrom(0, 1, 0x2f, 0x61, 0xfe, 0xff), { maxLength: 5 })
  .map((each) => Buffer.from(each))

describe('prefixRange', () => {
  test.each([
    ['a plain prefix', Buffer.from('/a/'), Buffer.from('/a0')],
    ['a prefix that ends in 0xff', bytes(0x61, 0xff, 0xff), bytes(0x62)],
    ['a prefix of 0xff alone', bytes(0xff, 0xff), bytes(0)],
  ])('raises the last byte of %s that can be raised', (_what, prefix, rangeEnd) => {
    expect(prefixRange(prefix)).toEqual({ key: prefix, rangeEnd })
  })

  test('takes the empty prefix for all keys', () => {
    expect(prefixRange(Buffer.alloc(0))).toEqual({ key: bytes(0), rangeEnd: bytes(0) })
  })

  test('does not change the prefix it was given', () => {
    const prefix = bytes(0x61, 0xff)
    prefixRange(prefix)
    expect(prefix).toEqual(bytes(0x61, 0xff))
  })

  test('holds exactly the keys that start with the prefix', () => {
    const key = fc
      .oneof(someBytes, fc.tuple(someBytes, someBytes).map(Buffer.concat))
      .filter(({ length }) => length > 0)
    fc.assert(
      fc.property(someBytes, key, (prefix, any) => {
        for (const candidate of [any, Buffer.concat([prefix, any]), prefix]) {
          if (candidate.length === 0) continue
          const range = prefixRange(prefix)
          const hasEnd = !range.rangeEnd.equals(bytes(0))
          const isInside =
            Buffer.compare(candidate, range.key) >= 0 && (!hasEnd || Buffer.compare(candidate, range.rangeEnd) < 0)
          expect(isInside).toBe(candidate.subarray(0, prefix.length).equals(prefix))
        }
      }),
      { numRuns: 2000 },
    )
  })
})
