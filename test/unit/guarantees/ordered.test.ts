import { expect, test } from 'vitest'
import { ordered } from '../../guarantees/guarantees/ordered.ts'
import { OTHER, SAMPLE, stream, tree } from './sample-record.ts'

const at3 = tree('3', { a: '3', b: '3b' })
const at5 = tree('5', { a: '3', c: '5' })
const at6 = tree('6', { a: '6', c: '5' })
const otherAt5 = tree('5', { a: '5x', b: '3b' })
const otherAt7 = tree('7', { a: '7x', b: '3b' })

test('ordered: revisions that grow, skip, and are published again are in order', () => {
  expect(ordered([at3, at6, tree('6-1', { a: '6', c: '5' })], [], [SAMPLE])).toEqual([])
})

test('ordered: a step back is found, and so is a generation that falls', () => {
  expect(ordered([at6, at5], [], [SAMPLE])).toEqual(['revision 5 was published after 6'])
  expect(ordered([tree('6-2', { a: '6', c: '5' }), at6], [], [SAMPLE])).toEqual(['revision 6 was published after 6-2'])
})

test('ordered: after a reset a lower revision is in order, once; the history that was never comes back', () => {
  expect(ordered([at6, otherAt5, otherAt7], [], [SAMPLE, OTHER])).toEqual([])
  expect(ordered([at3, otherAt7, at6], [], [SAMPLE, OTHER])).toEqual(['revision 6 was published after 7'])
})

test('ordered: a tree that fits both histories is taken for either until a later one settles it', () => {
  expect(ordered([at3, at5, at6], [], [SAMPLE, OTHER])).toEqual([])
  expect(ordered([at3, otherAt5, at5], [], [SAMPLE, OTHER])).toEqual(['revision 5 was published after 5'])
  expect(ordered([at6, at3, otherAt5], [], [SAMPLE, OTHER])).toEqual([])
  expect(ordered([at6, at3, at5], [], [SAMPLE, OTHER])).toEqual(['revision 5 was published after 3'])
})

test('ordered: a stream that steps back, or gives what its snapshot held, is found', () => {
  const late = stream([
    [5, 'c', '5'],
    [3, 'a', '3'],
  ])
  expect(ordered([], [late], [SAMPLE])).toEqual(['the stream gave a of revision 3 after revision 5'])
  expect(ordered([], [stream([[1, 'a', '1']])], [SAMPLE])).toEqual(['the stream gave a of revision 1 after revision 1'])
})
