import { expect, test } from 'vitest'
import { FAULTS } from './fault-table.ts'
import { type PlayOptions, play, replayLine } from './play.ts'

/** A round of a fixed seed, in which every fault that suits the store and does not take long strikes. */
export function testRound({ kind, seed }: Pick<PlayOptions, 'kind' | 'seed'>): void {
  const round = { kind, seed, isShort: true }
  test(`${kind}: every guarantee holds under every fault (seed ${seed})`, async () => {
    const { violations, faults, publishes, reads } = await play(round)
    expect(violations, `again: ${replayLine(round)}`).toEqual([])
    expect(faults.size).toBeGreaterThan(FAULTS.length / 2)
    expect(publishes).toBeGreaterThan(0)
    expect(reads).toBeGreaterThan(0)
  })
}
