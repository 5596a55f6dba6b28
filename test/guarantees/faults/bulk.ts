import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../support/wait.ts'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import { BULK_PREFIX, CHURNED_KEY } from '../key-space.ts'
import type { Random } from '../random.ts'

/** Only ends what hangs. */
const PATIENCE = { timeoutMs: 120_000 }
const KEYS_PER_TXN = 1000
const MIB = 1024 * 1024
/** As large as a request may be. */
const HUGE_VALUE_BYTES = Math.floor(1.9 * MIB)
const CATCH_UP_BYTES = 1100 * MIB

/** Much of everything at once. */
export const BULK_FAULTS: readonly Fault[] = [
  { name: 'prefix delete of 3,000 keys', strike: (arena, random) => prefixDelete(arena, random, 3000) },
  {
    name: 'prefix delete of 100,000 keys',
    isHeavy: true,
    strike: (arena, random) => prefixDelete(arena, random, 100_000),
  },
  { name: 'more than 1 GiB of catch-up', isHeavy: true, strike: catchUp },
]

/** Runs `work` while there are so many keys that a snapshot takes many pages; they go away by one delete. */
export async function withManyKeys(arena: Arena, count: number, work: () => Promise<void>): Promise<void> {
  await fill(arena, count)
  await work()
  await eventually(() => arena.writer.deletePrefix(BULK_PREFIX), PATIENCE)
}

async function prefixDelete(arena: Arena, random: Random, keys: number): Promise<void> {
  await withManyKeys(arena, keys, () => sleep(random.int(0, 1500)))
}

async function fill({ writer }: Arena, count: number): Promise<void> {
  for (let start = 0; start < count; start += KEYS_PER_TXN) {
    const names = Array.from({ length: Math.min(KEYS_PER_TXN, count - start) }, (_, index) => String(start + index))
    await eventually(() => writer.txn(freshValues(names)), PATIENCE)
  }
}

/** Others at each try: what the try before did may have happened. */
function freshValues(names: readonly string[]): ReadonlyMap<string, Buffer> {
  const stamp = performance.now()
  return new Map(names.map((name) => [bulkKey(name), Buffer.from(`${name} at ${stamp}`)]))
}

function bulkKey(name: string): string {
  return `${BULK_PREFIX}${name.slice(-2)}/${name}`
}

/** All of it missed, and wanted at once. */
async function catchUp({ network, writer }: Arena): Promise<void> {
  network.disconnect()
  const filler = Buffer.alloc(HUGE_VALUE_BYTES, '.')
  for (let written = 0; written < CATCH_UP_BYTES; written += HUGE_VALUE_BYTES) {
    const value = Buffer.from(filler)
    value.write(`${written} of a catch-up at ${performance.now()} `)
    await eventually(() => writer.put(CHURNED_KEY, value), PATIENCE)
  }
  await network.heal()
}
