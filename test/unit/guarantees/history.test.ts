import { describe, expect, test } from 'vitest'
import { History } from '../../guarantees/history.ts'
import { Timeline } from '../../guarantees/timeline.ts'

const writes = (value: string | undefined) => new Map([['a', value]])

describe('History', () => {
  test('a write whose outcome the writer never heard is settled by the watch', () => {
    const history = new History()
    history.acknowledge(2, writes('2'))
    for (const revision of [2, 3]) history.watch(revision, writes(String(revision)))
    expect(history.settle().stateAt(9)).toEqual(new Map([['a', '3']]))
    expect(history.disagreements()).toEqual([])
  })

  test('says where the watch lacks or contradicts what was acknowledged', () => {
    const history = new History()
    history.acknowledge(2, writes('2'))
    history.acknowledge(3, writes('3'))
    history.watch(3, writes(undefined))
    expect(history.disagreements()).toEqual([
      'the watch never saw revision 2 (a)',
      'writer and watch disagree about revision 3',
    ])
  })

  test('counts and finds what lived at a revision', () => {
    const history = new History()
    history.acknowledge(
      2,
      new Map([
        ['a', '2'],
        ['b', '2b'],
      ]),
    )
    history.acknowledge(4, new Map([['a', undefined]]))
    const settled = history.settle()
    expect([1, 2, 3, 4, 5].map((revision) => settled.countAt(revision))).toEqual([0, 2, 2, 1, 1])
    expect(settled.valueAt('a', 3)).toBe('2')
    expect(settled.valueAt('a', 4)).toBeUndefined()
    expect(settled.between(2, 4)).toEqual([4])
  })
})

test('Timeline: a store that goes back keeps what was before, and its own story after', () => {
  const timeline = new Timeline()
  for (const revision of [1, 2, 3]) timeline.current.acknowledge(revision, writes(String(revision)))
  timeline.wentBackTo(2)
  timeline.current.acknowledge(3, writes('3 again'))
  const [first, second] = timeline.settle()
  expect(first?.valueAt('a', 3)).toBe('3')
  expect(second?.valueAt('a', 3)).toBe('3 again')
  expect(second?.valueAt('a', 2)).toBe('2')
  expect(timeline.revisionCount).toBe(4)
})
