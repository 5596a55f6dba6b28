import { setTimeout as sleep } from 'node:timers/promises'
import type { Direction, TcpProxy } from '../../support/tcp-proxy.ts'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'

/** Longer than the mirror's keepalive, and shorter. */
const FREEZES_MS = [300, 1500, 7000]
const SLOW_BYTES_PER_SECOND = [20_000, 100_000, 400_000]

/** What happens on the way between the mirror and etcd. */
export const NETWORK_FAULTS: readonly Fault[] = [
  { name: 'cut', strike: cutAgainAndAgain },
  { name: 'cut after some bytes', strike: cutInTheMiddle },
  { name: 'connections refused', strike: refuse },
  { name: 'one-way partition: no requests', strike: (arena, random) => freeze(arena, random, ['requests']) },
  { name: 'one-way partition: no responses', strike: (arena, random) => freeze(arena, random, ['responses']) },
  { name: 'half-open sockets', strike: halfOpen },
  { name: 'slow link', strike: slowLink },
  { name: 'latency', strike: latency },
]

/** One of the ways, or all of them. */
function some({ network }: Arena, random: Random): readonly TcpProxy[] {
  return random.chance(0.5) ? network.proxies : [random.pick(network.proxies)]
}

async function cutAgainAndAgain({ network }: Arena, random: Random): Promise<void> {
  for (let left = random.int(1, 4); left > 0; left -= 1) {
    network.each((proxy) => proxy.cut())
    await sleep(random.int(0, 150))
  }
}

/** Also in the middle of a message, a fragment or a snapshot, and in what is sent again. */
async function cutInTheMiddle(arena: Arena, random: Random): Promise<void> {
  for (const proxy of some(arena, random)) {
    void proxy.cutAfterBytes(random.int(1, 100_000), { times: random.int(1, 3) })
  }
  await sleep(random.int(200, 1000))
}

async function refuse({ network }: Arena, random: Random): Promise<void> {
  network.disconnect()
  await sleep(random.int(100, 2000))
  await network.heal()
}

async function freeze(arena: Arena, random: Random, directions: readonly Direction[]): Promise<void> {
  for (const proxy of some(arena, random)) proxy.freeze(...directions)
  await sleep(random.pick(FREEZES_MS))
  await arena.network.heal()
}

/** Silent both ways, and dead when they could be heard again. */
async function halfOpen({ network }: Arena, random: Random): Promise<void> {
  network.each((proxy) => proxy.freeze())
  await sleep(random.pick(FREEZES_MS))
  network.each((proxy) => proxy.cut())
  await network.heal()
}

async function slowLink({ network }: Arena, random: Random): Promise<void> {
  const speed = random.pick(SLOW_BYTES_PER_SECOND)
  network.each((proxy) => proxy.limit(speed))
  await sleep(random.int(500, 2500))
  await network.heal()
}

async function latency({ network }: Arena, random: Random): Promise<void> {
  const milliseconds = random.pick([20, 100, 400])
  network.each((proxy) => proxy.delay(milliseconds))
  await sleep(random.int(500, 2500))
  await network.heal()
}
