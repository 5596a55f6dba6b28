import { expect, test } from 'vitest'
import { touchesNothingElse } from '../../guarantees/guarantees/touches-nothing-else.ts'

const before = ['/m/neighbour directory 16877', '/m/neighbour/file 33188 7 1.5 b2Y=']

test('touchesNothingElse: the same surroundings are untouched', () => {
  expect(touchesNothingElse({ surroundings: { before, after: [...before] } })).toEqual([])
})

test('touchesNothingElse: what is new, gone or changed is found', () => {
  const after = ['/m/neighbour directory 16877', '/m/neighbour/file 33188 8 1.5 b2Y=', '/m/new 33188 9 1.5 ']
  expect(touchesNothingElse({ surroundings: { before, after } })).toEqual([
    'beside the root, gone or changed: /m/neighbour/file',
    'beside the root, new or changed: /m/neighbour/file',
    'beside the root, new or changed: /m/new',
  ])
})
