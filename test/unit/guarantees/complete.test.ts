import { expect, test } from 'vitest'
import { complete } from '../../guarantees/guarantees/complete.ts'
import { OTHER, SAMPLE, tree } from './sample-record.ts'

test('complete: the prefix at the revision of the name, in one of the histories, is complete', () => {
  expect(complete([tree('4', { a: '3', b: '3b' }), tree('7', { a: '7x', b: '3b' })], [SAMPLE, OTHER])).toEqual([])
})

test('complete: a lost key, one that is left over, and a value of another revision are found', () => {
  expect(complete([tree('3', { a: '3' })], [SAMPLE])).toEqual([
    'tree 3 is not the prefix at its revision: b is missing',
  ])
  expect(complete([tree('5', { a: '3', b: '3b', c: '5' })], [SAMPLE])).toEqual([
    'tree 5 is not the prefix at its revision: b should not be there',
  ])
  expect(complete([tree('6', { a: '3', c: '5' })], [SAMPLE])).toEqual([
    'tree 6 is not the prefix at its revision: a has another value',
  ])
})
