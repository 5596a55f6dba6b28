import fc from 'fast-check'
import { expect, test } from 'vitest'
import { ownCopies, ownCopy } from '../../../src/util/own-copies.ts'

test('copies are equal, in order, and share no memory with what they were made of', () => {
  const parts = fc.array(fc.uint8Array({ maxLength: 3000 }), { maxLength: 12 })
  fc.assert(
    fc.property(parts, (originals) => {
      const copies = ownCopies(originals)
      expect(copies.map((copy) => [...copy])).toEqual(originals.map((original) => [...original]))
      for (const original of originals) original.fill(255)
      expect(copies.some((copy, index) => copy.length > 0 && copy.buffer === originals[index]?.buffer)).toBe(false)
    }),
  )
})

test('one small copy keeps little memory, and a large one its own', () => {
  const copies = ownCopies([...Array.from({ length: 1000 }, () => Buffer.alloc(100)), Buffer.alloc(10_000)])
  expect(copies[0]?.buffer.byteLength).toBeGreaterThan(100)
  expect(copies[0]?.buffer.byteLength).toBeLessThanOrEqual(4096)
  expect(copies.at(-1)?.buffer.byteLength).toBe(10_000)
  expect(ownCopy(Buffer.from('key')).buffer.byteLength).toBe(3)
})
