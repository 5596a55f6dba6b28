import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { FileSystem } from '../../../../src/targets/files/file-system.ts'
import { hashOf, placeOf, TreeDigest } from '../../../../src/targets/files/tree-digest.ts'
import { tempDirectory } from './support.ts'

const hashes = fc.array(fc.tuple(fc.string(), fc.string()).map(([place, text]) => hashOf(place, Buffer.from(text))))

function digestOf(list: readonly string[]): TreeDigest {
  const digest = new TreeDigest()
  for (const each of list) digest.add(each)
  return digest
}

describe('TreeDigest', () => {
  test('does not depend on the order, and what is removed again leaves no trace', () => {
    fc.assert(
      fc.property(hashes, hashes, (kept, gone) => {
        const digest = digestOf([...gone, ...kept])
        for (const each of gone) digest.remove(each)
        expect(digest.equals(digestOf([...kept].reverse()))).toBe(true)
        expect(
          digestOf(kept)
            .plus(digestOf(gone))
            .equals(digestOf([...kept, ...gone])),
        ).toBe(true)
      }),
    )
  })

  test('comes back from its text, and from no other', () => {
    fc.assert(
      fc.property(hashes, (list) => {
        const digest = digestOf(list)
        expect(TreeDigest.parse(digest.toString())?.equals(digest)).toBe(true)
      }),
    )
    for (const text of ['', 'x', '0'.repeat(63), 'G'.repeat(64)]) expect(TreeDigest.parse(text)).toBeUndefined()
  })

  test('tells one byte of content, one of a place, and where the one ends and the other begins', () => {
    const all = [hashOf('a', Buffer.from('b')), hashOf('a', Buffer.from('c')), hashOf('b', Buffer.from('b'))]
    all.push(hashOf('ab', Buffer.from('')), hashOf('', Buffer.from('ab')))
    expect(new Set(all.map((each) => digestOf([each]).toString())).size).toBe(all.length)
  })
})

test('hashOf is what FileSystem.hash finds on disk, for any size and place', () => {
  const files = new FileSystem()
  const path = join(tempDirectory(), 'file')
  for (const place of ['a', 'é'.repeat(2000)]) {
    for (const size of [0, 1, 61_000, 65_533, 65_534, 65_535, 65_536, 65_537, 131_072, 300_001]) {
      const bytes = Buffer.alloc(size, place)
      writeFileSync(path, bytes)
      expect(files.hash(path, place) === hashOf(place, bytes), `${size} bytes`).toBe(true)
    }
  }
})

test('placeOf is the path of the key, wherever its file stands', () => {
  expect(['a', 'a/%leaf', 'a/b', '%leaf', 'a%leaf'].map(placeOf)).toEqual(['a', 'a', 'a/b', '%leaf', 'a%leaf'])
})
