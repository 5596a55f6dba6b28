import { setTimeout as sleep } from 'node:timers/promises'
import { startGrpcProxy } from '../../support/grpc-proxy.ts'
import { eventually } from '../../support/wait.ts'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import { LASTING_KEY } from '../key-space.ts'
import type { Random } from '../random.ts'
import { goBack, overtake, saveSnapshot } from './back-in-time.ts'

/** Only ends what hangs. */
const PATIENCE = { timeoutMs: 120_000 }

/**
 * etcd's own proxy keeps the connections, and the watch, of its clients: nothing tells them that the store went back. The
 * next proof of freshness does, by the raft term; until then nobody can know, so what is seen until then is not judged, and
 * whether it is found out is.
 */
export const BEHIND_PROXY: Fault = {
  name: 'reset behind a proxy without a disconnect',
  suits: ({ store }) => store.certificates === undefined,
  strike: behindProxy,
}

async function behindProxy(arena: Arena, random: Random): Promise<void> {
  const { store, network, readers, engine, stream } = arena
  const snapshot = await saveSnapshot(arena)
  // A restored store begins with the first raft term. One that never had an election would look the same.
  await store.kill()
  await store.start()
  await using proxy = await startGrpcProxy(store.series, store.clientPorts[0] ?? 0)
  await stream.whileAway(async () => {
    network.each((hop) => hop.retarget(proxy.port))
    await showSomethingToLose(arena)
    await provenFresh(arena)
    const before = await epochs(arena)
    // Silent, and not cut: what is on its way stays on its way.
    const former = await goBack(arena, snapshot, { hide: () => network.each((hop) => hop.freeze()) })
    if (random.chance(0.5)) await overtake(arena, former)
    engine.sink.isBlind = true
    await readers.whileBlind(async () => {
      await network.heal()
      await foundOut(arena, before)
    })
    engine.sink.isBlind = false
    await sleep(random.int(0, 1000))
    for (const [index, hop] of network.proxies.entries()) hop.retarget(store.clientPorts[index] ?? 0)
  })
}

/** Something that the mirror has shown and that the snapshot lacks: else nothing goes back. */
async function showSomethingToLose({ writer, mirror, engine }: Arena): Promise<void> {
  await eventually(() => writer.put(LASTING_KEY, Buffer.from(`lost at ${performance.now()}`)), PATIENCE)
  const revision = await writer.head()
  await eventually(async () => {
    const shown = Math.min((await mirror.status()).publishedRevision, engine.status().publishedRevision)
    if (shown < revision) throw new Error(`Shown is ${shown} of ${revision}`)
  }, PATIENCE)
}

/** Both have read the store once more, and know its raft term. */
async function provenFresh({ mirror, engine }: Arena): Promise<void> {
  const times = async () => [(await mirror.status()).lastKnownEqualAt, engine.status().lastKnownEqualMs] as const
  const before = await times()
  await eventually(async () => {
    const now = await times()
    if (now[0] === before[0] || now[1] === before[1]) throw new Error(`Not proven fresh since ${before}`)
  }, PATIENCE)
}

async function epochs({ mirror, engine }: Arena): Promise<readonly [number, number]> {
  return [(await mirror.status()).epoch, engine.status().epoch]
}

async function foundOut(arena: Arena, before: readonly [number, number]): Promise<void> {
  await eventually(async () => {
    const now = await epochs(arena)
    if (now[0] <= before[0] || now[1] <= before[1]) throw new Error(`Epochs ${now} after ${before}: nobody found out`)
  }, PATIENCE)
}
