import { expect, test } from 'vitest'
import { unique } from '../../guarantees/guarantees/unique.ts'
import { stream, tree } from './sample-record.ts'

test('unique: other names, and the same one seen twice in a row, are fine', () => {
  expect(unique([tree('3', { a: '3' }), tree('3', { a: '3' }), tree('3-1', { a: '3' }), tree('5', {})], [])).toEqual([])
})

test('unique: a tree that changes under its name is found', () => {
  expect(unique([tree('3', { a: '3' }), tree('3', { a: '4' })], [])).toEqual(['tree 3 changed after it was published'])
  expect(unique([tree('3', { a: '3' }), tree('3', {})], [])).toEqual(['tree 3 changed after it was published'])
})

test('unique: a name that comes back is found', () => {
  const trees = [tree('3', { a: '3' }), tree('5', {}), tree('3', { a: '3' })]
  expect(unique(trees, [])).toEqual(['tree 3 was published again under its old name'])
})

test('unique: a change that a stream gives twice is found', () => {
  const twice = stream([
    [3, 'a', '3'],
    [3, 'b', '3b'],
    [3, 'a', '3'],
  ])
  expect(unique([], [twice])).toEqual(['the stream gave a of revision 3 twice'])
})
