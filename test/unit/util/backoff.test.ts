import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Backoff } from '../../../src/util/backoff.ts'

describe('Backoff', () => {
  test('the bound of its waits doubles from the first one up to the longest', () => {
    const backoff = new Backoff({ firstMs: 100, maxMs: 1000, random: () => 1 })
    expect(Array.from({ length: 6 }, () => backoff.nextMs())).toEqual([100, 200, 400, 800, 1000, 1000])
    expect(backoff.attempt).toBe(6)
  })

  test('waits are spread over the whole bound, and stay in it however long it goes on', () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 0.999, noNaN: true }), fc.nat(5000), (random, attempts) => {
        const backoff = new Backoff({ random: () => random })
        for (let attempt = 0; attempt < attempts; attempt++) backoff.nextMs()
        expect(backoff.nextMs()).toBe(random * Math.min(5000, 100 * 2 ** Math.min(attempts, 30)))
      }),
      { numRuns: 50 },
    )
  })

  test('begins anew after a reset', () => {
    const backoff = new Backoff({ random: () => 1 })
    for (let attempt = 0; attempt < 9; attempt++) backoff.nextMs()
    backoff.reset()
    expect([backoff.attempt, backoff.nextMs()]).toEqual([0, 100])
  })
})
