import { setTimeout as sleep } from 'node:timers/promises'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'

const MINUTE_MS = 60_000

/** What a target and a clock do to the engine. */
export const ENGINE_FAULTS: readonly Fault[] = [
  { name: 'slow sink', strike: slowSink },
  { name: 'failing sink', strike: failingSink },
  { name: 'clock jumps', strike: clockJumps },
]

async function slowSink({ engine: { sink } }: Arena, random: Random): Promise<void> {
  sink.delayMs = random.pick([100, 500, 1500])
  await sleep(random.int(1000, 4000))
  sink.delayMs = 0
}

async function failingSink({ engine: { sink } }: Arena, random: Random): Promise<void> {
  for (let left = random.int(1, 3); left > 0; left -= 1) {
    sink.isFailing = true
    await sleep(random.int(100, 1000))
    sink.isFailing = false
    await sleep(random.int(0, 500))
  }
}

async function clockJumps({ engine: { clock } }: Arena, random: Random): Promise<void> {
  for (let left = random.int(2, 6); left > 0; left -= 1) {
    if (random.chance(0.5)) clock.setWall(random.int(-100_000, 100_000) * MINUTE_MS)
    else clock.suspend(random.int(1, 120) * MINUTE_MS)
    await sleep(random.int(0, 300))
  }
}
