import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { median, percentile, summarize } from '../../../bench/statistics.ts'

const values = fc.array(fc.double({ noNaN: true, min: -1e6, max: 1e6 }), { minLength: 1 })

describe('percentile', () => {
  it('takes the nearest rank, whatever the order of the values', () => {
    expect(percentile([30, 10, 50, 20, 40], 0.4)).toBe(20)
    expect(percentile([30, 10, 50, 20, 40], 0.41)).toBe(30)
  })

  it('takes the least value for 0 and the greatest for 1', () => {
    expect(percentile([3, 1, 2], 0)).toBe(1)
    expect(percentile([3, 1, 2], 1)).toBe(3)
  })

  it('takes a value that the asked share of all values do not exceed, and no smaller one does', () => {
    fc.assert(
      fc.property(values, fc.double({ noNaN: true, min: 0.01, max: 1 }), (all, share) => {
        const found = percentile(all, share)
        expect(all).toContain(found)
        expect(all.filter((value) => value <= found).length).toBeGreaterThanOrEqual(share * all.length)
        expect(all.filter((value) => value < found).length).toBeLessThan(share * all.length)
      }),
    )
  })

  it('throws when there are no values', () => {
    expect(() => percentile([], 0.5)).toThrow('there are no values')
  })
})

describe('median', () => {
  it('takes the middle of an odd number and the mean of the middle two of an even one', () => {
    expect(median([9, 1, 5])).toBe(5)
    expect(median([9, 1, 5, 6])).toBe(5.5)
  })

  it('sorts by number, not by text', () => {
    expect(median([10, 9, 100])).toBe(10)
  })

  it('throws when there are no values', () => {
    expect(() => median([])).toThrow('there are no values')
  })
})

describe('summarize', () => {
  it('orders what it finds', () => {
    fc.assert(
      fc.property(values, (all) => {
        const { n, min, p50, p99, max } = summarize(all)
        expect(n).toBe(all.length)
        expect([min, p50, p99, max]).toEqual([min, p50, p99, max].toSorted((a, b) => a - b))
      }),
    )
  })
})
