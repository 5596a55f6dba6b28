import { setTimeout as sleep } from 'node:timers/promises'
import { type Arena, freshPath } from '../arena.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'

const BUMP = 1_000_000

/** A store that is restored from a snapshot with the same flags: the same cluster id, another history. */
export const RESTORE_FAULTS: readonly Fault[] = [
  { name: 'restore before it overtook us', strike: (arena, random) => restore(arena, random, { overtakes: false }) },
  { name: 'restore after it overtook us', strike: (arena, random) => restore(arena, random, { overtakes: true }) },
  {
    name: 'restore with bumped revision',
    suits: ({ store }) => store.series !== '3.4',
    strike: (arena, random) => restore(arena, random, { overtakes: false, bump: BUMP }),
  },
]

async function restore(
  arena: Arena,
  random: Random,
  { overtakes, bump = 0 }: { readonly overtakes: boolean; readonly bump?: number },
): Promise<void> {
  const { store, network, workload, writer, observer, timeline } = arena
  const path = await freshPath(arena, 'snapshot')
  const revision = await store.saveSnapshot(path)
  await sleep(random.int(100, 1500))
  const former = await workload.whilePaused(async () => {
    // First nobody can see anything any more; then everything that was ever to be seen is written down.
    network.disconnect()
    const head = await writer.head()
    await observer.reach(head)
    await store.kill()
    timeline.wentBackTo(revision)
    observer.wentBackTo(revision + bump)
    await store.restoreSnapshot(path, bump > 0 ? [`--bump-revision=${bump}`, '--mark-compacted'] : [])
    return head
  })
  if (overtakes) while ((await writer.head()) <= former) await sleep(50)
  await network.heal()
}
