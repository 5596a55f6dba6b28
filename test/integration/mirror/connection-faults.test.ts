import { describe, expect, test } from 'vitest'
import { startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { TreeWatcher } from '../../support/tree-watcher.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'

const REVISIONS = 5000
/** An event is 1,040 to 1,100 bytes on the wire, whether it comes alone or in a batch: some 4,400 of 5,000 come through. */
const VALUE_BYTES = 1000
const MOST_REVISIONS_BYTES = 4_700_000
const SOME_REVISIONS_BYTES = 200_000

describe.each(['3.4', '3.6'] as const)('a run loses nothing on etcd %s when', (version) => {
  test('the connection is cut in the middle of a catch-up over 5,000 revisions, and again in the rest', async () => {
    await using etcd = await startEtcd({ version })
    await using proxy = await startTcpProxy(etcd.clientPort)
    // However long the writes take on a busy machine: the connection is cut where the test cuts it.
    await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint, conf: { 'keepalive-time': '1h' } })
    const names = manyNames(100)
    await rig.writer.fill(names)
    rig.run()
    await rig.expectSettledCopy()
    proxy.freeze('responses')
    for (let round = 0; round < REVISIONS / names.length; round++) {
      await Promise.all(names.map((name) => rig.writer.put(name, `${round} ${name} `.padEnd(VALUE_BYTES, 'x'))))
    }
    await using watcher = new TreeWatcher(rig.root)
    const firstCut = proxy.cutAfterBytes(MOST_REVISIONS_BYTES)
    proxy.thaw()
    await firstCut
    await proxy.cutAfterBytes(SOME_REVISIONS_BYTES)
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_watch_restarts_total')).toBe(2)
    // By resuming, not by a snapshot, and without an event twice.
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
    expect(await rig.metric('etcd_mirror_events_total')).toBe(REVISIONS)
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('the process was down over 5,000 revisions of few keys: one snapshot is cheaper than the events', async () => {
    await using etcd = await startEtcd({ version })
    await using rig = await MirrorRig.make(etcd)
    await rig.writer.fill(manyNames(100))
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    for (let round = 0; round < 50; round++) await rig.writer.putMany(manyNames(100))
    await rig.writer.deletePrefix('0000/00005')
    await using watcher = new TreeWatcher(rig.root)
    rig.run()
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'behind' })).toBe(1)
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('the connection is cut in the middle of a snapshot: half of it is never seen', async () => {
    await using etcd = await startEtcd({ version })
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint })
    await rig.writer.fill(manyNames(3000))
    proxy.limit(100_000)
    rig.run()
    await using watcher = new TreeWatcher(rig.root)
    await rig.inSnapshot()
    proxy.limit(Number.POSITIVE_INFINITY)
    proxy.cut()
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
    expect(await rig.metric('etcd_mirror_epoch')).toBe(0)
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('connections break again and again while keys are written', async () => {
    await using etcd = await startEtcd({ version })
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint, files: { readerGrace: '100ms' } })
    const names = manyNames(50)
    await rig.writer.fill(names)
    rig.run()
    await rig.expectSettledCopy()
    await using watcher = new TreeWatcher(rig.root)
    for (let round = 0; round < 12; round++) {
      await rig.writer.putMany(names)
      await rig.writer.txn({ [`0000/00000${round % 10}`]: undefined, [`round/${round}`]: true, both: true })
      proxy.cut()
      await rig.writer.putMany(names.slice(25))
      await eventually(async () => expect(await rig.metric('etcd_mirror_source_connected')).toBe(1))
    }
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('etcd is frozen for longer than the keepalive', async () => {
    await using etcd = await startEtcd({ version })
    await using rig = await MirrorRig.make(etcd, { conf: { 'keepalive-time': '5s', 'keepalive-timeout': '1s' } })
    await rig.writer.fill(manyNames(100))
    rig.run()
    await rig.expectSettledCopy()
    await using watcher = new TreeWatcher(rig.root)
    etcd.pause()
    await eventually(async () => expect((await rig.status()).sourceConnected).toBe(false))
    expect((await rig.get('/readyz')).status).toBe(200)
    expect((await rig.get('/livez')).status).toBe(200)
    expect((await rig.get('/liveness')).status).toBe(500)
    etcd.resume()
    await rig.writer.reconnect()
    await rig.writer.put('0000/000000')
    await rig.expectSettledCopy()
    expect((await rig.status()).lastError).toBeNull()
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('etcd is killed by SIGKILL and started again', async () => {
    await using etcd = await startEtcd({ version })
    await using rig = await MirrorRig.make(etcd)
    await rig.writer.fill(manyNames(100))
    const mirror = rig.run()
    await rig.expectSettledCopy()
    await using watcher = new TreeWatcher(rig.root)
    await etcd.kill()
    await mirror.waitForLog(({ msg, mirror: name }) => name === 'app' && String(msg).includes('cannot follow etcd'))
    rig.expectWritten()
    expect((await rig.get('/readyz')).status).toBe(200)
    await etcd.restart()
    await rig.writer.reconnect()
    await rig.writer.txn({ '0000/000000': undefined, '0000/000001': true })
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
    expect(await rig.metric('etcd_mirror_epoch')).toBe(0)
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('the prefix is empty, over cuts and a restart: its position is proven without a snapshot', async () => {
    await using etcd = await startEtcd({ version })
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint })
    await rig.writer.put('first')
    await rig.writer.delete('first')
    const mirror = rig.run()
    await eventually(async () => expect((await rig.status()).published).toBe(true))
    await mirror.kill()
    rig.run()
    for (let round = 0; round < 2; round++) {
      await eventually(async () => expect(await rig.metric('etcd_mirror_source_connected')).toBe(1))
      const restarts = await rig.metric('etcd_mirror_watch_restarts_total')
      proxy.cut()
      await eventually(async () => expect(await rig.metric('etcd_mirror_watch_restarts_total')).toBe(restarts + 1))
    }
    await rig.writer.put('second')
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(0)
    expect(await rig.metric('etcd_mirror_epoch')).toBe(0)
  })
})

test('a slow link delays changes on etcd 3.6: a late event is not taken for a lost one', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using proxy = await startTcpProxy(etcd.clientPort)
  await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint, mirror: { maxStaleness: '600ms' } })
  await rig.writer.fill(manyNames(10))
  rig.run()
  await rig.expectSettledCopy()
  proxy.limit(100_000)
  await rig.writer.put('large', 'x'.repeat(1_200_000))
  await rig.expectSettledCopy({ timeoutMs: 60_000 })
  expect(await rig.metric('etcd_mirror_drift_detected_total')).toBe(0)
  expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
})
