import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { differences } from '../../support/oracle.ts'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { entriesOf, fileIdentities } from '../../support/tree-reader.ts'
import { TreeWatcher } from '../../support/tree-watcher.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'

const COMPACT_EVERY_MS = 200

function disconnect(proxy: TcpProxy): void {
  proxy.refuse()
  proxy.cut()
}

describe.each(['3.4', '3.6'] as const)('history that is gone on etcd %s:', (version) => {
  test('compaction while disconnected: deletes that nobody will tell of are found, the rest is not rewritten', async () => {
    await using etcd = await startEtcd({ version })
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint })
    await rig.writer.fill(manyNames(300))
    rig.run()
    await rig.expectSettledCopy()
    const before = fileIdentities(rig.root)
    await using watcher = new TreeWatcher(rig.root)
    disconnect(proxy)
    await rig.writer.deletePrefix('0001/')
    await rig.writer.txn({ '0002/000200': true, '0000/000007': undefined, new: true })
    await rig.writer.put('new')
    await rig.writer.compact()
    await proxy.accept()
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'compacted' })).toBe(1)
    expect(await rig.metric('etcd_mirror_epoch')).toBe(0)
    for (const [path, identity] of fileIdentities(rig.root)) {
      if (path !== 'new' && path !== '0002/000200') expect(before.get(path), path).toEqual(identity)
    }
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('compaction at exactly the one delete that was missed', async () => {
    await using etcd = await startEtcd({ version })
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint })
    await rig.writer.fill(manyNames(10))
    rig.run()
    await rig.expectSettledCopy()
    disconnect(proxy)
    await rig.writer.compact(await rig.writer.delete('0000/000005'))
    await proxy.accept()
    expect((await rig.expectSettledCopy()).files.size).toBe(9)
  })

  test('compaction while the process was down', async () => {
    await using etcd = await startEtcd({ version })
    await using rig = await MirrorRig.make(etcd)
    await rig.writer.fill(manyNames(50))
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    await rig.writer.deletePrefix('0000/00001')
    await rig.writer.put('other')
    await rig.writer.compact()
    await using watcher = new TreeWatcher(rig.root)
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    expect((await rig.expectCopy()).files.size).toBe(41)
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('compaction every 200 ms while 100,000 keys are synced for the first time and written to', async () => {
    await using etcd = await startEtcd({ version })
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint })
    const names = manyNames(100_000)
    await rig.writer.fill(names)
    proxy.limit(6_000_000)
    const stop = new AbortController()
    const compacting = (async () => {
      while (!stop.signal.aborted) {
        await rig.writer.compact()
        await sleep(COMPACT_EVERY_MS)
      }
    })()
    const writing = (async () => {
      for (let index = 0; !stop.signal.aborted; index = (index + 7919) % names.length) {
        await rig.writer.txn({ [names[index] ?? '']: index % 2 === 0 ? true : undefined, [`new/${index}`]: true })
        await sleep(2)
      }
    })()
    const mirror = rig.run()
    try {
      await eventually(async () => expect((await rig.status()).published).toBe(true), { timeoutMs: 60_000 })
    } finally {
      stop.abort()
      await Promise.all([compacting, writing])
    }
    const first = rig.tree()
    expect(differences(entriesOf(first, rig.prefix), rig.writer.log.stateAt(first.revision))).toEqual([])
    await rig.expectSettledCopy({ timeoutMs: 60_000 })
    expect(mirror.output).toContain('the snapshot was compacted away while it was read')
  })
})

/** A store with 100 keys and a mirror that follows it; the data as they were before the last writes are set aside. */
async function makeRestorable(version: '3.4' | '3.6') {
  const etcd = await startEtcd({ version })
  const backup = await makeTempDir('backup')
  const proxy = await startTcpProxy(etcd.clientPort)
  const rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint })
  await rig.writer.fill(manyNames(100))
  const backupRevision = await rig.writer.put('before the backup')
  await etcd.kill()
  await etcd.copyDataDir(join(backup.path, 'data'))
  await etcd.restart()
  await rig.writer.reconnect()
  await writeOn(rig, 'lost')
  return {
    etcd,
    proxy,
    rig,
    /** The store goes back to the backup; resolves with the history that was. */
    async restore() {
      await etcd.kill()
      await etcd.replaceDataDir(join(backup.path, 'data'))
      const former = rig.writer.log
      await etcd.restart()
      await rig.writer.reconnect(backupRevision)
      return former
    },
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
      await etcd[Symbol.asyncDispose]()
      await backup[Symbol.asyncDispose]()
    },
  }
}

/** The same keys at the same revisions in whatever history, with values that tell which. */
async function writeOn(rig: MirrorRig, history: string) {
  await rig.writer.txn({ '0000/000001': undefined, '0000/000002': history, added: history })
  for (const name of manyNames(40, 10)) await rig.writer.put(name, `${name} ${history}`)
}

/** Writes until the store's revision is beyond `revision`, with as many keys as the history that was. */
async function overtake(rig: MirrorRig, revision: number): Promise<void> {
  await rig.writer.txn({ '0000/000001': undefined, added: true })
  while ((await rig.writer.head()) <= revision) await rig.writer.put('0000/000002')
}

async function expectNewEpoch(rig: MirrorRig, output: string) {
  expect(output).toContain('the etcd store was reset')
  expect(await rig.metric('etcd_mirror_epoch')).toBe(1)
  expect(await rig.metric('etcd_mirror_resync_total', { reason: 'reset' })).toBe(1)
  expect((await rig.status()).lastError).toBeNull()
}

describe.each(['3.4', '3.6'] as const)('etcd %s restored to an older revision', (version) => {
  test('under a live mirror is a new epoch with the new truth', async () => {
    await using setup = await makeRestorable(version)
    const { rig } = setup
    const mirror = rig.run()
    await rig.expectSettledCopy()
    await using watcher = new TreeWatcher(rig.root)
    const former = await setup.restore()
    await eventually(async () => expect((await rig.status()).epoch).toBe(1))
    await rig.expectSettledCopy()
    await rig.writer.txn({ '0000/000003': undefined, new: true })
    await rig.expectSettledCopy()
    await expectNewEpoch(rig, mirror.output)
    expect(await watcher.faults(rig.writer.log, rig.prefix, { before: former })).toEqual([])
  })

  test('that overtook the mirror while it was disconnected is a new epoch, though its revision never seemed to fall', async () => {
    await using setup = await makeRestorable(version)
    const { rig, proxy } = setup
    const mirror = rig.run()
    await rig.expectSettledCopy()
    await using watcher = new TreeWatcher(rig.root)
    disconnect(proxy)
    const former = await setup.restore()
    await overtake(rig, former.lastRevision)
    await proxy.accept()
    await eventually(async () => expect((await rig.status()).epoch).toBe(1))
    await rig.expectSettledCopy()
    await expectNewEpoch(rig, mirror.output)
    expect(await watcher.faults(rig.writer.log, rig.prefix, { before: former })).toEqual([])
  })

  test('that repeated the same writes with other values is told by the values', async () => {
    await using setup = await makeRestorable(version)
    const { rig, proxy } = setup
    const mirror = rig.run()
    await rig.expectSettledCopy()
    disconnect(proxy)
    const former = await setup.restore()
    await writeOn(rig, 'found')
    expect(await rig.writer.head()).toBe(former.lastRevision)
    await proxy.accept()
    await eventually(async () => expect((await rig.status()).epoch).toBe(1))
    await rig.expectSettledCopy()
    await expectNewEpoch(rig, mirror.output)
  })

  test('that overtook a mirror that was down is a new epoch after its start', async () => {
    await using setup = await makeRestorable(version)
    const { rig } = setup
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    await using watcher = new TreeWatcher(rig.root)
    const former = await setup.restore()
    await overtake(rig, former.lastRevision)
    const mirror = rig.run()
    await eventually(async () => expect((await rig.status()).epoch).toBe(1))
    await rig.expectSettledCopy()
    await expectNewEpoch(rig, mirror.output)
    expect(await watcher.faults(rig.writer.log, rig.prefix, { before: former })).toEqual([])
  })
})

describe.each(['3.4', '3.6'] as const)(
  'etcd %s restored from a backup that has the newest change we know',
  (version) => {
    /** A mirror whose position is beyond its newest key, because only others wrote; and a backup from in between. */
    async function makeForkable(names: readonly string[]) {
      const etcd = await startEtcd({ version })
      const backup = await makeTempDir('backup')
      const proxy = await startTcpProxy(etcd.clientPort)
      const rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint, mirror: { maxStaleness: '600ms' } })
      const writeElsewhere = () => etcd.etcdctl(['put', '/other/key', 'x'])
      await rig.writer.fill(names)
      await writeElsewhere()
      const backupRevision = await rig.writer.head()
      await etcd.kill()
      await etcd.copyDataDir(join(backup.path, 'data'))
      await etcd.restart()
      await rig.writer.reconnect()
      for (let index = 0; index < 5; index++) await writeElsewhere()
      const head = await rig.writer.head()
      const mirror = rig.run()
      await eventually(async () => expect((await rig.status()).appliedRevision).toBe(head))
      return {
        rig,
        mirror,
        /** `write` forks the history behind the mirror's position; then the store overtakes it. */
        async fork(write: () => Promise<unknown>) {
          disconnect(proxy)
          await etcd.kill()
          await etcd.replaceDataDir(join(backup.path, 'data'))
          await etcd.restart()
          await rig.writer.reconnect(backupRevision)
          await write()
          while ((await rig.writer.head()) <= head) await writeElsewhere()
          await proxy.accept()
        },
        async [Symbol.asyncDispose]() {
          await rig[Symbol.asyncDispose]()
          await proxy[Symbol.asyncDispose]()
          await etcd[Symbol.asyncDispose]()
          await backup[Symbol.asyncDispose]()
        },
      }
    }

    /** An old server may have lost the events instead: the copy is mended without a new epoch. */
    const resync = version === '3.4' ? 'unproven' : 'reset'

    test('a change behind the position is found, although the newest key that is known is there', async () => {
      await using setup = await makeForkable(manyNames(20))
      const { rig, fork } = setup
      await fork(() => rig.writer.put('0000/000003'))
      await eventually(async () => expect(await rig.metric('etcd_mirror_resync_total', { reason: resync })).toBe(1))
      await eventually(() => rig.expectCopy())
      expect(await rig.metric('etcd_mirror_drift_detected_total')).toBe(resync === 'reset' ? 0 : 1)
    })

    test('the first key of an empty prefix is found, too', async () => {
      await using setup = await makeForkable([])
      const { rig, fork } = setup
      await fork(() => rig.writer.put('first'))
      await eventually(async () => expect(await rig.metric('etcd_mirror_resync_total', { reason: resync })).toBe(1))
      await eventually(() => rig.expectCopy())
    })

    test('no change behind the position is no reset: the mirror goes on', async () => {
      await using setup = await makeForkable(manyNames(20))
      const { rig, fork } = setup
      await fork(async () => {})
      await rig.writer.put('0000/000003')
      await rig.expectSettledCopy()
      expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
      expect(await rig.metric('etcd_mirror_epoch')).toBe(0)
    })
  },
)
