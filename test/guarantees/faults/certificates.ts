import { setTimeout as sleep } from 'node:timers/promises'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'

/** What happens to the certificates of both sides. */
export const CERTIFICATE_FAULTS: readonly Fault[] = [
  { name: 'certificate rotation', suits: ({ store }) => store.certificates !== undefined, strike: rotation },
]

async function rotation({ store, network }: Arena, random: Random): Promise<void> {
  await store.certificates?.rotate(async () => {
    network.each((proxy) => proxy.cut())
    await sleep(random.int(300, 2000))
  })
  network.each((proxy) => proxy.cut())
}
