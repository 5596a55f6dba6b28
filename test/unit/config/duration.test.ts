import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatDuration, parseDuration } from '../../../src/util/duration.ts'

test.each([
  ['0', 0],
  ['5s', 5000],
  ['1m30s', 90_000],
  ['100ms', 100],
  ['1h', 3_600_000],
  ['1.5h', 5_400_000],
  ['.5s', 500],
  ['1.s', 1000],
  ['100us', 0.1],
  ['100µs', 0.1],
  ['100μs', 0.1],
  ['1ns', 0.000001],
  ['1s1s', 2000],
  ['+2s', 2000],
  ['-2s', -2000],
  ['2562047h', 2562047 * 3_600_000],
])('parseDuration reads %j as Go does', (text, ms) => {
  expect(parseDuration(text)).toBe(ms)
})

test.each(['', '-', '5', '5x', '5 s', 's', '.s', '1h ', ' 1h', '1d', '--1s', '1e3s', '2562048h', '1s5', '０s'])(
  'parseDuration refuses %j',
  (text) => {
    expect(parseDuration(text)).toBeUndefined()
  },
)

test('parseDuration reads back what formatDuration prints, to the nanosecond', () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 51 }), (nanoseconds) => {
      const back = parseDuration(formatDuration(nanoseconds / 1e6))
      expect(Math.round((back ?? Number.NaN) * 1e6)).toBe(nanoseconds)
    }),
  )
})

test('formatDuration prints the units that are there, the largest first', () => {
  expect([0, 10_000, 90_061_001.5].map(formatDuration)).toEqual(['0s', '10s', '25h1m1s1ms500us'])
})
