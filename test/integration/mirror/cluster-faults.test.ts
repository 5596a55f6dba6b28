import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdCluster, startCluster } from '../../support/etcd-cluster.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'

const PATIENT = { timeoutMs: 60_000 }

/** A write that is tried until the cluster takes it. */
const put = (rig: MirrorRig, name: string) => eventually(() => rig.writer.put(name, `value of ${name}`), PATIENT)

async function expectNoSnapshot(rig: MirrorRig) {
  await rig.expectSettledCopy(PATIENT)
  expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
  expect(await rig.metric('etcd_mirror_epoch')).toBe(0)
}

describe('a mirror of a cluster of three, on etcd 3.6,', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await startCluster({ version: '3.6' })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
  })

  /** Every rig mirrors a prefix of its own, and writes through a member that stays. */
  async function makeRig(
    prefix: string,
    endpoints: readonly string[],
    stays: { server: EtcdCluster['members'][0]['server'] },
  ) {
    const rig = await MirrorRig.make(stays.server, { prefix, endpoint: endpoints })
    await rig.writer.fill(manyNames(20))
    return rig
  }

  test('goes on when the leader is killed, without a snapshot', async () => {
    const leader = await cluster.leader()
    const [follower] = await cluster.followers()
    await using rig = await makeRig('/killed/', cluster.endpoints, follower)
    rig.run()
    await rig.expectSettledCopy(PATIENT)
    await leader.server.kill()
    await put(rig, 'after')
    await expectNoSnapshot(rig)
    await leader.server.start()
  })

  test('goes on with a lagging follower at a reconnect, once it has caught up, without a reset', async () => {
    const [lagging] = await cluster.followers()
    const leader = await cluster.leader()
    await using proxy = await startTcpProxy(leader.server.clientPort)
    await using rig = await makeRig('/lagging/', [proxy.endpoint, lagging.server.endpoint], leader)
    const mirror = rig.run()
    await rig.expectSettledCopy(PATIENT)
    cluster.network.isolate(lagging.name)
    await put(rig, 'unknown to the follower')
    await rig.settled(PATIENT)
    proxy.refuse()
    proxy.cut()
    await mirror.waitForLog(({ msg }) => String(msg).includes('cannot follow etcd'), PATIENT)
    await put(rig, 'while disconnected')
    cluster.network.heal()
    await expectNoSnapshot(rig)
  })

  test('does not need the endpoint that is a learner', async () => {
    const learner = await cluster.addLearner()
    const [voter] = await cluster.followers()
    await using rig = await makeRig('/learner/', [learner.server.endpoint, voter.server.endpoint], voter)
    rig.run()
    await rig.expectSettledCopy(PATIENT)
    await put(rig, 'after')
    await expectNoSnapshot(rig)
    await cluster.remove(learner)
  })

  test('goes on when a member is replaced', async () => {
    const [old, stays] = await cluster.followers()
    await using rig = await makeRig('/replaced/', [old.server.endpoint, stays.server.endpoint], stays)
    rig.run()
    await rig.expectSettledCopy(PATIENT)
    await cluster.replace(old)
    await put(rig, 'after')
    await expectNoSnapshot(rig)
  })

  test('begins a new epoch when a lagging survivor becomes the cluster: what it never had is gone', async () => {
    const [survivor] = await cluster.followers()
    const leader = await cluster.leader()
    await using rig = await makeRig('/forced/', cluster.endpoints, leader)
    rig.run()
    await rig.expectSettledCopy(PATIENT)
    const known = rig.writer.log.lastRevision
    await eventually(async () =>
      expect((await survivor.server.etcdctl(['get', '/forced/', '--prefix'])).length).toBeGreaterThan(0),
    )
    cluster.network.isolate(survivor.name)
    await rig.writer.txn({ '0000/000001': undefined, 'never known': true })
    await rig.expectSettledCopy(PATIENT)
    await cluster.forceNewCluster(survivor)
    await rig.writer.reconnect(known, survivor.server.endpoint)
    await put(rig, 'after')
    await eventually(async () => expect((await rig.status()).epoch).toBe(1), PATIENT)
    await rig.settled(PATIENT)
    rig.expectWritten()
  })
})

test('a rolling downgrade from etcd 3.6 to 3.5 under a mirror loses nothing, without a snapshot', async () => {
  await using cluster = await startCluster({ version: '3.6' })
  const [first] = cluster.members
  if (first === undefined) throw new Error('The cluster has no member')
  await using rig = await MirrorRig.make(first.server, { endpoint: cluster.endpoints })
  await rig.writer.fill(manyNames(20))
  rig.run()
  await rig.expectSettledCopy(PATIENT)
  await first.server.etcdctl(['downgrade', 'enable', '3.5'])
  for (const { server } of cluster.members) {
    await eventually(async () => {
      const status = await server.etcdctl(['endpoint', 'status', '-w', 'fields'])
      expect(status).toContain('"StorageVersion" : "3.5.0"')
    }, PATIENT)
  }
  for (const { name, server } of cluster.members) {
    await server.kill()
    await server.useVersion('3.5')
    await server.start()
    await rig.writer.reconnect()
    await put(rig, `after ${name}`)
    await rig.settled(PATIENT)
  }
  await expectNoSnapshot(rig)
  await eventually(async () => expect((await rig.status()).serverVersion).toBe('3.5.35'), PATIENT)
})
