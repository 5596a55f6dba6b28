import { setTimeout as sleep } from 'node:timers/promises'
import { eventually } from '../../support/wait.ts'
import type { Arena } from '../arena.ts'
import { type ClusterStore, localRevision } from '../cluster-store.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'

/** Only ends what hangs. */
const PATIENCE = { timeoutMs: 120_000 }

type Strike = (store: ClusterStore, arena: Arena, random: Random) => Promise<void>

/** What happens between the members of a cluster, and to its membership. */
export const CLUSTER_FAULTS: readonly Fault[] = [
  onCluster('leader killed', leaderKilled),
  onCluster('leader frozen', leaderFrozen),
  onCluster('follower isolated', followerIsolated),
  onCluster('one-way partition between members', oneWay),
  onCluster('lagging follower at reconnect', laggingFollower),
  onCluster('endpoint that is a learner', learnerEndpoint),
  onCluster('member replaced', memberReplaced),
  onCluster('force-new-cluster from a lagging survivor', forceNewCluster),
  onCluster('rolling downgrade and upgrade', downgradeAndBack, ({ series }) => series === '3.6'),
]

function onCluster(name: string, strike: Strike, suits: (store: ClusterStore) => boolean = () => true): Fault {
  return {
    name,
    suits: ({ store: { cluster } }) => cluster !== undefined && suits(cluster),
    strike: async (arena, random) => {
      if (arena.store.cluster) await strike(arena.store.cluster, arena, random)
    },
  }
}

async function leaderKilled(store: ClusterStore, _arena: Arena, random: Random): Promise<void> {
  const { server } = await store.etcds.leader()
  await server.kill()
  await sleep(random.int(200, 4000))
  await store.start()
}

async function leaderFrozen(store: ClusterStore, _arena: Arena, random: Random): Promise<void> {
  const { server } = await store.etcds.leader()
  server.pause()
  await sleep(random.int(500, 7000))
  server.resume()
}

async function followerIsolated(store: ClusterStore, _arena: Arena, random: Random): Promise<void> {
  const [follower] = await store.etcds.followers()
  store.etcds.network.isolate(follower.name)
  await sleep(random.int(500, 6000))
  store.etcds.network.heal()
}

async function oneWay(store: ClusterStore, _arena: Arena, random: Random): Promise<void> {
  const leader = await store.etcds.leader()
  const [follower] = await store.etcds.followers()
  if (random.chance(0.5)) store.etcds.network.block(leader.name, follower.name)
  else store.etcds.network.block(follower.name, leader.name)
  await sleep(random.int(500, 5000))
  store.etcds.network.heal()
}

/** The mirror comes back to the one member that has not seen what it saw itself. */
async function laggingFollower(store: ClusterStore, { network }: Arena, random: Random): Promise<void> {
  const [follower] = await store.etcds.followers()
  const index = store.members.indexOf(follower.server)
  store.etcds.network.isolate(follower.name)
  await sleep(random.int(300, 1500))
  for (const [at, proxy] of network.proxies.entries()) {
    if (at !== index) proxy.refuse()
    proxy.cut()
  }
  await sleep(random.int(500, 3000))
  store.etcds.network.heal()
  await sleep(random.int(100, 1500))
  await network.heal()
}

async function learnerEndpoint(store: ClusterStore, { network }: Arena, random: Random): Promise<void> {
  const learner = await store.etcds.addLearner()
  const proxy = random.pick(network.proxies)
  const port = store.clientPorts[network.proxies.indexOf(proxy)] ?? 0
  proxy.retarget(learner.server.clientPort)
  await sleep(random.int(500, 2500))
  proxy.retarget(port)
  await store.etcds.remove(learner)
}

async function memberReplaced(store: ClusterStore, _arena: Arena, random: Random): Promise<void> {
  await store.etcds.replace(random.pick(store.etcds.members))
  store.relink()
}

/** What the majority acknowledged, and the mirror may have shown, is lost: another history. */
async function forceNewCluster(store: ClusterStore, arena: Arena, random: Random): Promise<void> {
  const { workload, network, observer, writer, timeline } = arena
  const [survivor] = await store.etcds.followers()
  store.etcds.network.isolate(survivor.name)
  await sleep(random.int(300, 3000))
  await workload.whilePaused(async () => {
    // First nobody can see anything any more; then everything that was ever to be seen is written down.
    network.disconnect()
    await observer.reach(await writer.head())
    const revision = await eventually(() => localRevision(survivor), PATIENCE)
    await store.kill()
    timeline.wentBackTo(revision)
    observer.wentBackTo(revision)
    await store.etcds.forceNewCluster(survivor)
    store.etcds.network.heal()
    store.relink()
  })
  await network.heal()
  for (const _ of [1, 2]) await store.etcds.grow()
  store.relink()
}

async function downgradeAndBack(store: ClusterStore, _arena: Arena, random: Random): Promise<void> {
  await store.etcdctl(['downgrade', 'enable', '3.5'])
  await eventually(
    async () => assertHolds(await store.etcdctl(['endpoint', 'status', '-w', 'json']), '"storageVersion":"3.5'),
    PATIENCE,
  )
  for (const series of ['3.5', '3.6'] as const) {
    for (const member of random.shuffled(store.members)) {
      await member.kill()
      await member.useVersion(series)
      await member.start()
    }
  }
  // etcd may have ended the downgrade by itself.
  await store.members[0]?.etcdctl(['downgrade', 'cancel']).catch(() => undefined)
  // Nobody can join before the cluster has agreed that it is of 3.6 again.
  for (const { endpoint } of store.members) {
    await eventually(async () => assertHolds(await textOf(`${endpoint}/version`), '"etcdcluster":"3.6'), PATIENCE)
  }
}

function assertHolds(text: string, wanted: string): void {
  if (!text.includes(wanted)) throw new Error(`Not ${wanted} yet: ${text}`)
}

async function textOf(url: string): Promise<string> {
  const response = await fetch(url, { signal: AbortSignal.timeout(5000) })
  return await response.text()
}
