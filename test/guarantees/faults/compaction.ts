import { setTimeout as sleep } from 'node:timers/promises'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'
import { withManyKeys } from './bulk.ts'

/** A snapshot of them takes many pages. */
const MANY_KEYS = 2000

/** History that goes away at the worst moments. */
export const COMPACTION_FAULTS: readonly Fault[] = [
  { name: 'compaction at head', strike: atHead },
  { name: 'compaction at the applied revision', strike: (arena) => atApplied(arena, 0) },
  { name: 'compaction one above the applied revision', strike: (arena) => atApplied(arena, 1) },
  { name: 'compaction while disconnected', strike: whileDisconnected },
  { name: 'compaction during paging', strike: duringPaging },
  { name: 'compaction again and again around a start', strike: aroundStart },
]

async function atHead(arena: Arena): Promise<void> {
  await compact(arena, await arena.writer.head())
}

/** With the mirror cut off, so that it has to come back exactly there. */
async function atApplied(arena: Arena, above: number): Promise<void> {
  const { mirror, network, writer } = arena
  await mirror.statusOnceUp()
  network.disconnect()
  const { appliedRevision } = await mirror.status()
  const head = await writer.head()
  if (appliedRevision > 0) await compact(arena, Math.min(appliedRevision + above, head))
  await network.heal()
}

async function whileDisconnected(arena: Arena, random: Random): Promise<void> {
  arena.network.disconnect()
  await sleep(random.int(50, 1500))
  await compact(arena, await arena.writer.head())
  await sleep(random.int(0, 200))
  await arena.network.heal()
}

async function duringPaging(arena: Arena, random: Random): Promise<void> {
  const { network, mirror } = arena
  await withManyKeys(arena, MANY_KEYS, async () => {
    network.each((proxy) => proxy.limit(60_000))
    mirror.signal('SIGHUP')
    for (let left = 3; left > 0; left -= 1) {
      await sleep(random.int(50, 800))
      await compact(arena, await arena.writer.head())
    }
    await network.heal()
  })
}

/** Between snapshot and watch, too, when it hits it. */
async function aroundStart(arena: Arena, random: Random): Promise<void> {
  await arena.mirror.end('SIGKILL')
  arena.mirror.start()
  for (let left = random.int(5, 15); left > 0; left -= 1) {
    await compact(arena, await arena.writer.head())
    await sleep(random.int(20, 150))
  }
}

async function compact({ observer, writer }: Arena, revision: number): Promise<void> {
  await observer.reach(revision)
  await writer.compact(revision)
}
