import { expect, test } from 'vitest'
import { type PlayOptions, play, replayLine } from './play.ts'

/** A round of a fixed seed, in which every fault that suits the store and does not take long strikes. */
export function testRound(options: Pick<PlayOptions, 'kind' | 'seed' | 'faults'>): void {
  const round = { ...options, isShort: true }
  test(`${round.kind}: every guarantee holds under every fault (seed ${round.seed})`, async () => {
    const { violations, faults, publishes, reads } = await play(round)
    expect(violations, `again: ${replayLine(round)}`).toEqual([])
    expect(faults.size).toBeGreaterThan(5)
    expect(publishes).toBeGreaterThan(0)
    expect(reads).toBeGreaterThan(0)
  })
}
