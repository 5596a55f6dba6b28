import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../support/wait.ts'
import { type Arena, freshPath } from '../arena.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'
import { withManyKeys } from './bulk.ts'

const BUMP = 1_000_000
/** A snapshot of them takes many pages. */
const MANY_KEYS = 2000
/** Only ends what hangs. */
const PATIENCE = { timeoutMs: 60_000 }

/** A store that is restored from a snapshot with the same flags: the same cluster id, another history. */
export const RESTORE_FAULTS: readonly Fault[] = [
  { name: 'restore before it overtook us', strike: (arena, random) => restored(arena, random, { overtakes: false }) },
  { name: 'restore after it overtook us', strike: (arena, random) => restored(arena, random, { overtakes: true }) },
  {
    name: 'restore with bumped revision',
    suits: ({ store }) => store.series !== '3.4',
    strike: (arena, random) => restored(arena, random, { overtakes: false, bump: BUMP }),
  },
  { name: 'reset between two pages', strike: betweenPages },
]

export interface Snapshot {
  readonly path: string
  readonly revision: number
}

async function restored(
  arena: Arena,
  random: Random,
  { overtakes, bump = 0 }: { readonly overtakes: boolean; readonly bump?: number },
): Promise<void> {
  const snapshot = await saveSnapshot(arena)
  await sleep(random.int(100, 1500))
  const former = await goBack(arena, snapshot, { bump, hide: () => arena.network.disconnect() })
  if (overtakes) await overtake(arena, former)
  await arena.network.heal()
}

async function betweenPages(arena: Arena, random: Random): Promise<void> {
  const { network, mirror } = arena
  const snapshot = await saveSnapshot(arena)
  await withManyKeys(arena, MANY_KEYS, async () => {
    network.each((proxy) => proxy.limit(60_000))
    mirror.signal('SIGHUP')
    await sleep(random.int(200, 1500))
    await goBack(arena, snapshot, { hide: () => network.disconnect() })
    await network.heal()
  })
}

/** Of the store as it is now. */
export async function saveSnapshot(arena: Arena): Promise<Snapshot> {
  const path = await freshPath(arena, 'snapshot')
  return { path, revision: await arena.store.saveSnapshot(path) }
}

/** Nothing is written meanwhile, and after `hide` nothing seen. Resolves with the revision that the store had before. */
export async function goBack(
  { store, workload, writer, observer, timeline }: Arena,
  { path, revision }: Snapshot,
  { bump = 0, hide }: { readonly bump?: number; readonly hide: () => void },
): Promise<number> {
  return await workload.whilePaused(async () => {
    // First nobody can see anything any more; then everything that was ever to be seen is written down.
    hide()
    const head = await writer.head()
    await observer.reach(head)
    await store.kill()
    timeline.wentBackTo(revision)
    observer.wentBackTo(revision + bump)
    await store.restoreSnapshot(path, bump > 0 ? [`--bump-revision=${bump}`, '--mark-compacted'] : [])
    return head
  })
}

/** Resolves once the store is beyond what it was. */
export async function overtake({ writer }: Arena, former: number): Promise<void> {
  await eventually(async () => {
    if ((await writer.head()) <= former) throw new Error('The store has not overtaken what it was')
  }, PATIENCE)
}
