import { expect, test } from 'vitest'
import { prunes } from '../../guarantees/guarantees/prunes.ts'
import { tree } from './sample-record.ts'

const end = { tree: tree('6', {}), engine: new Map(), store: new Map(), complaints: [], trees: ['5', '6'] }

test('prunes: trees without empty directories, a few of them, are pruned', () => {
  expect(prunes([tree('5', {})], end)).toEqual([])
})

test('prunes: an empty directory, and trees that pile up, are found', () => {
  expect(prunes([tree('5', {}, ['d'])], end)).toEqual(['tree 5 has the empty directory d'])
  const trees = Array.from({ length: 11 }, (_, index) => String(index))
  expect(prunes([], { ...end, trees })).toEqual(['11 trees stand in .revisions at the end'])
})
