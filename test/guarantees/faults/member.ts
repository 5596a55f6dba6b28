import { setTimeout as sleep } from 'node:timers/promises'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'

/** What happens to a member, with no history lost. */
export const MEMBER_FAULTS: readonly Fault[] = [
  { name: 'member frozen', strike: frozen },
  { name: 'member killed', strike: killed },
  { name: 'defragmentation', strike: defragment },
]

async function frozen({ store }: Arena, random: Random): Promise<void> {
  const member = random.pick(store.members)
  member.pause()
  await sleep(random.pick([300, 1500, 7000]))
  member.resume()
}

async function killed({ store }: Arena, random: Random): Promise<void> {
  await random.pick(store.members).kill()
  await sleep(random.int(0, 1500))
  await store.start()
}

async function defragment({ store }: Arena): Promise<void> {
  await store.etcdctl(['defrag'])
}
