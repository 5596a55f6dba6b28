import { expect, test } from 'vitest'
import { resumable } from '../../guarantees/guarantees/resumable.ts'

const before = new Map([
  ['a', '1 100'],
  ['b', '2 100'],
  ['gone', '3 100'],
])
const after = new Map([
  ['a', '1 100'],
  ['b', '9 200'],
])

test('resumable: a restart that wrote only what had changed is', () => {
  expect(resumable([{ resyncs: 0, before, after, changed: new Set(['b']) }])).toEqual([])
})

test('resumable: a complete read, and a file written anew, are found', () => {
  expect(resumable([{ resyncs: 1, before, after, changed: new Set() }])).toEqual([
    'a restart read everything anew (1 times) although etcd had the history',
    'a restart wrote the file of b anew',
  ])
})
