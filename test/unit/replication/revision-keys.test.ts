import { expect, test } from 'vitest'
import { RevisionKeys } from '../../../src/replication/revision-keys.ts'

function added(...names: readonly string[]): readonly boolean[] {
  const keys = new RevisionKeys()
  return names.map((name) => keys.add(Buffer.from(name)))
}

test('RevisionKeys knows a key that comes again, whatever the order', () => {
  expect(added('a', 'b', 'ba')).toEqual([true, true, true])
  expect(added('a', 'b', 'b')).toEqual([true, true, false])
  expect(added('a', 'c', 'b', 'a', 'b', 'c', 'd')).toEqual([true, true, true, false, false, false, true])
})

test('RevisionKeys takes keys that are no text for what they are', () => {
  const keys = new RevisionKeys()
  expect([0xff, 0xfe, 0xff].map((byte) => keys.add(Buffer.from([byte])))).toEqual([true, true, false])
})
