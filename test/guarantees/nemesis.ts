import { setTimeout as sleep } from 'node:timers/promises'
import type { Arena } from './arena.ts'
import type { Fault } from './fault.ts'
import type { Random } from './random.ts'

const LONGEST_QUIET_MS = 600

export interface HauntOptions {
  /** undefined = each fault once. */
  readonly strikes: number | undefined
  /** Asked before each strike: the rest of them are left out. */
  readonly isOver?: (() => boolean) | undefined
  /** Hears which fault comes. */
  readonly onStrike?: ((fault: string) => void) | undefined
}

/**
 * Strikes with those of `faults` that suit, in random order and none twice before all have struck, with a little quiet
 * between; resolves with how often each one struck. A fault that cannot be done is an
 * error of the suite, and is thrown with its name.
 */
export async function haunt(
  arena: Arena,
  faults: readonly Fault[],
  random: Random,
  { strikes, isOver = () => false, onStrike = () => {} }: HauntOptions,
): Promise<ReadonlyMap<string, number>> {
  const struck = new Map<string, number>()
  const suited = faults.filter(({ suits = () => true }) => suits(arena))
  let order: Fault[] = []
  for (let left = strikes ?? suited.length; left > 0 && !isOver(); left -= 1) {
    if (order.length === 0) order = [...random.shuffled(suited)]
    const fault = order.pop()
    if (fault === undefined) break
    onStrike(fault.name)
    await strike(fault, arena, random.fork(`${fault.name} ${left}`))
    struck.set(fault.name, (struck.get(fault.name) ?? 0) + 1)
    await sleep(random.int(0, LONGEST_QUIET_MS))
  }
  return struck
}

async function strike(fault: Fault, arena: Arena, random: Random): Promise<void> {
  try {
    await fault.strike(arena, random)
  } catch (error) {
    throw new Error(`Cannot strike with ${fault.name}`, { cause: error })
  }
}
