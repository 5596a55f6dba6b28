import { expect, test } from 'vitest'
import { EMPTY_VALUE } from '../../guarantees/digest.ts'
import { atomic } from '../../guarantees/guarantees/atomic.ts'
import { era, OTHER, SAMPLE, tree } from './sample-record.ts'

test('atomic: whole revisions are, also where later ones overwrote or deleted parts of them', () => {
  const trees = [tree('3', { a: '3', b: '3b' }), tree('5', { a: '3', c: '5' }), tree('6', { a: '6', c: '5' })]
  expect(atomic(trees, [SAMPLE])).toEqual([])
})

test('atomic: half of a transaction is found, puts and deletes', () => {
  expect(atomic([tree('3', { a: '1', b: '3b' })], [SAMPLE])).toEqual([
    'tree 3 shows revision 3, but not what it did to a',
  ])
  expect(atomic([tree('5', { a: '3', b: '3b', c: '5' })], [SAMPLE])).toEqual([
    'tree 5 shows revision 5, but not what it did to b',
  ])
})

test('atomic: one of several histories has to tell it whole', () => {
  expect(atomic([tree('5', { a: '5x', b: '3b' })], [SAMPLE, OTHER])).toEqual([])
  expect(atomic([tree('7', { a: '3' })], [OTHER])).toEqual(['tree 7 shows revision 3, but not what it did to b'])
})

test('atomic: an empty value tells nothing of its revision', () => {
  const history = era({ 1: { a: EMPTY_VALUE, b: '1b' }, 2: { a: '2' }, 3: { a: EMPTY_VALUE } })
  expect(atomic([tree('3', { a: EMPTY_VALUE, b: '1b' })], [history])).toEqual([])
  expect(atomic([tree('1', { b: '1b' })], [history])).toEqual(['tree 1 shows revision 1, but not what it did to a'])
})
