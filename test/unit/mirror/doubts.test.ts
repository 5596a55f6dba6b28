import { describe, expect, test } from 'vitest'
import { type Doubt, Doubts } from '../../../src/mirror/doubts.ts'

const MINUTE = 60_000

/** What so many doubts in a row at revision 10 lead to; `answers` of the watch at each. */
function findings(count: number, of: { isTrusted: boolean; answers: (index: number) => number; everyMs?: number }) {
  const doubts = new Doubts()
  return Array.from({ length: count }, (_, index) => {
    const { isTrusted, answers, everyMs = 1000 } = of
    return doubts.add({ revision: 10, answers: answers(index), atMs: index * everyMs, isTrusted })
  })
}

describe('Doubts', () => {
  test('of an untrusted server: the second one in a row is a loss, silent or not', () => {
    expect(findings(2, { isTrusted: false, answers: () => 5 })).toEqual(['none', 'lost'])
    expect(findings(2, { isTrusted: false, answers: (index) => index })).toEqual(['none', 'lost'])
  })

  test('of a trusted server: only the twelfth one with answers in between is a loss', () => {
    const found = findings(12, { isTrusted: true, answers: (index) => index })
    expect(found).toEqual([...Array<string>(11).fill('none'), 'lost'])
  })

  test('of a trusted server whose watch is silent: nothing is lost, and after ten minutes another watch is tried', () => {
    const found = findings(600, { isTrusted: true, answers: () => 5 })
    expect(new Set(found)).toEqual(new Set(['none']))
    expect(findings(11, { isTrusted: true, answers: () => 5, everyMs: MINUTE })).toEqual([
      ...Array<string>(10).fill('none'),
      'silent',
    ])
  })

  test('an answer ends a silence', () => {
    const answers = (index: number) => (index < 8 ? 5 : 6)
    expect(findings(18, { isTrusted: true, answers, everyMs: MINUTE }).indexOf('silent')).toBe(-1)
  })

  test.each<[string, (doubts: Doubts, doubt: Doubt) => void]>([
    ['another revision', (doubts, doubt) => void doubts.add({ ...doubt, revision: 9 })],
    ['a proof that the copy is equal', (doubts) => doubts.clear()],
  ])('begin anew after %s', (_what, interrupt) => {
    const doubts = new Doubts()
    const doubt = { revision: 10, answers: 1, atMs: 0, isTrusted: false }
    doubts.add(doubt)
    interrupt(doubts, doubt)
    expect(doubts.add(doubt)).toBe('none')
    expect(doubts.add(doubt)).toBe('lost')
  })
})
