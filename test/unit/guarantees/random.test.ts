import { expect, test } from 'vitest'
import { Random } from '../../guarantees/random.ts'

const draw = (random: Random) => Array.from({ length: 20 }, () => random.int(1, 6))

test('Random: a seed repeats its numbers, another seed has others', () => {
  expect(draw(new Random(7))).toEqual(draw(new Random(7)))
  expect(draw(new Random(7))).not.toEqual(draw(new Random(8)))
  expect(new Set(draw(new Random(7))).size).toBeGreaterThan(3)
})

test('Random: what a part draws does not depend on what others drew before', () => {
  const random = new Random(7)
  const before = draw(random.fork('part'))
  draw(random)
  expect(draw(random.fork('part'))).toEqual(before)
  expect(draw(random.fork('another part'))).not.toEqual(before)
})

test('Random: picks by weight, never what weighs nothing', () => {
  const random = new Random(7)
  const choices = [
    { name: 'never', weight: 0 },
    { name: 'seldom', weight: 1 },
    { name: 'often', weight: 9 },
  ]
  const picked = Array.from({ length: 1000 }, () => random.weighted(choices).name)
  const count = (wanted: string) => picked.filter((name) => name === wanted).length
  expect(count('never')).toBe(0)
  expect(count('often')).toBeGreaterThan(count('seldom'))
})
