import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdCluster, type Member, startCluster } from '../support/etcd-cluster.ts'
import { openClient } from '../support/scripted-client.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { eventually } from '../support/wait.ts'

const get = ({ server }: Member, ...flags: string[]) =>
  server.etcdctl(['--command-timeout=1s', 'get', '/a', '--print-value-only', ...flags])
const eventuallyGets = (member: Member, value: string, ...flags: string[]) =>
  eventually(async () => expect(await get(member, ...flags)).toBe(value && `${value}\n`), { timeoutMs: 60_000 })
const put = ({ server }: Member, value: string) =>
  eventually(() => server.etcdctl(['put', '/a', value]), { timeoutMs: 60_000 })

describe.each(['3.4', '3.5', '3.7'] as const)('startCluster %s', (version) => {
  test('goes on with another leader when its leader is killed', async () => {
    await using cluster = await startCluster({ version })
    const leader = await cluster.leader()
    await leader.server.kill()
    const next = await cluster.leader()
    expect(next.name).not.toBe(leader.name)
    await put(next, 'one')
    await leader.server.start()
    await eventuallyGets(leader, 'one')
  })
})

describe('EtcdCluster, on etcd 3.6,', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await startCluster({ version: '3.6' })
  })
  afterAll(async () => {
    await cluster[Symbol.asyncDispose]()
  })

  test('isolate cuts a member off both ways, and heal lets it catch up', async () => {
    const [lagging] = await cluster.followers()
    await put(await cluster.leader(), 'before')
    await eventuallyGets(lagging, 'before')
    cluster.network.isolate(lagging.name)
    await put(await cluster.leader(), 'after')
    await expect(get(lagging)).rejects.toThrow()
    expect(await get(lagging, '--consistency=s')).toBe('before\n')
    cluster.network.heal()
    await eventuallyGets(lagging, 'after')
  })

  test('a client lists the members by their names', async () => {
    using client = await openClient(cluster.endpoints)
    const { members } = await client.unary('memberList', {}, { signal: new AbortController().signal })
    const wanted = cluster.members.map(({ name }) => ({ name, isLearner: false }))
    expect(members.toSorted((a, b) => a.name.localeCompare(b.name))).toEqual(wanted)
  })

  test('block swallows messages one way alone', async () => {
    const [lagging, other] = await cluster.followers()
    const leader = await cluster.leader()
    cluster.network.block(leader.name, lagging.name)
    await put(leader, 'one way')
    await eventuallyGets(other, 'one way', '--consistency=s')
    expect(await get(lagging, '--consistency=s')).not.toBe('one way\n')
    cluster.network.heal()
    await eventuallyGets(lagging, 'one way')
  })

  test('a frozen leader is replaced by another, and follows when it wakes up', async () => {
    const leader = await cluster.leader()
    leader.server.pause()
    await put(await cluster.leader(), 'while it slept')
    leader.server.resume()
    await eventuallyGets(leader, 'while it slept')
  })

  test('replace puts a new member in the place of another', async () => {
    const [old] = await cluster.followers()
    const joined = await cluster.replace(old)
    expect(cluster.members.map(({ name }) => name)).toHaveLength(3)
    expect(joined.id).not.toBe(old.id)
    await eventuallyGets(joined, 'while it slept')
  })

  test('a learner that was added refuses linearizable reads', async () => {
    const learner = await cluster.addLearner()
    await expect(get(learner)).rejects.toThrow('learner')
    await eventuallyGets(learner, 'while it slept', '--consistency=s')
    await learner.server.kill()
  })

  test('restoreSnapshot brings the whole cluster back to a snapshot', async () => {
    await using restored = await startCluster({ version: '3.6' })
    await using directory = await makeTempDir()
    const leader = await restored.leader()
    await put(leader, 'saved')
    await leader.server.saveSnapshot(join(directory.path, 'snapshot.db'))
    await put(leader, 'lost')
    await restored.restoreSnapshot(join(directory.path, 'snapshot.db'))
    for (const member of restored.members) await eventuallyGets(member, 'saved')
  })

  test('forceNewCluster goes on with what one survivor had', async () => {
    const [survivor] = await cluster.followers()
    cluster.network.isolate(survivor.name)
    await put(await cluster.leader(), 'never seen by the survivor')
    await cluster.forceNewCluster(survivor)
    expect(cluster.members.map(({ name }) => name)).toEqual([survivor.name])
    await eventuallyGets(survivor, 'while it slept')
    await put(survivor, 'alone')
  })
})
