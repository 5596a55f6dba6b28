import { expect, test } from 'vitest'
import { reliable } from '../../guarantees/guarantees/reliable.ts'
import { OTHER, SAMPLE, stream } from './sample-record.ts'

const WHOLE = [
  [3, 'a', '3'],
  [3, 'b', '3b'],
  [5, 'b', undefined],
  [5, 'c', '5'],
] as const

test('reliable: a stream that gives everything up to where it came is', () => {
  expect(
    reliable(
      [
        stream(WHOLE),
        stream([]),
        stream([
          [3, 'a', '3'],
          [3, 'b', '3b'],
          [5, 'a', '5x'],
        ]),
      ],
      [SAMPLE, OTHER],
    ),
  ).toEqual([])
})

test('reliable: a lost event is found, also a delete', () => {
  expect(reliable([stream(WHOLE.filter(([, key]) => key !== 'a'))], [SAMPLE])).toEqual([
    'the stream from revision 1 up to 5: a of revision 3 was not given',
  ])
  expect(reliable([stream(WHOLE.filter(([, , value]) => value !== undefined))], [SAMPLE])).toEqual([
    'the stream from revision 1 up to 5: b of revision 5 was not given',
  ])
})

test('reliable: an event that never happened, and a snapshot that is not the state, are found', () => {
  expect(reliable([stream([...WHOLE, [5, 'z', '5']])], [SAMPLE])).toEqual([
    'the stream from revision 1 up to 5: z of revision 5 never happened',
  ])
  expect(reliable([{ ...stream(WHOLE), snapshot: new Map([['a', '0']]) }], [SAMPLE])).toEqual([
    'the stream from revision 1 up to 5: its snapshot has another value of a',
  ])
})
