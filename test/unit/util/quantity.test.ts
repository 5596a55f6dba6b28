import fc from 'fast-check'
import { expect, test } from 'vitest'
import { formatQuantity, parseQuantity } from '../../../src/util/quantity.ts'

test.each([
  ['0', 0],
  ['1', 1],
  ['007', 7],
  ['3k', 3000],
  ['2M', 2_000_000],
  ['1G', 1_000_000_000],
  ['8Ki', 8192],
  ['256Mi', 268_435_456],
  ['1Gi', 1_073_741_824],
  ['9007199254740991', Number.MAX_SAFE_INTEGER],
])('parseQuantity reads %j as %i bytes', (text, bytes) => {
  expect(parseQuantity(text)).toBe(bytes)
})

test.each([
  '',
  ' 1',
  '1 Mi',
  '-1',
  '+1',
  '1.5Mi',
  '1e3',
  '1K',
  '1mi',
  '1MiB',
  'Mi',
  '0x10',
  '9007199254740992',
  '8388608Gi',
  '1\n',
])('parseQuantity refuses %j', (text) => {
  expect(parseQuantity(text)).toBeUndefined()
})

test.each([
  [0, '0'],
  [1000, '1000'],
  [1024, '1Ki'],
  [1536, '1536'],
  [1_572_864, '1536Ki'],
  [2 ** 28, '256Mi'],
  [2 ** 40, '1024Gi'],
])('formatQuantity prints %i as %j', (bytes, text) => {
  expect(formatQuantity(bytes)).toBe(text)
})

test('parseQuantity reads back what formatQuantity prints', () => {
  const bytes = fc.oneof(
    fc.maxSafeNat(),
    fc.tuple(fc.nat({ max: 5000 }), fc.constantFrom(2 ** 10, 2 ** 20, 2 ** 30)).map(([count, unit]) => count * unit),
  )
  fc.assert(
    fc.property(bytes, (value) => {
      expect(parseQuantity(formatQuantity(value))).toBe(value)
    }),
  )
})
