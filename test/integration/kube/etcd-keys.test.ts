import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ETCD_KEYS } from '../../../src/targets/objects/etcd-key-projection.ts'
import { manyObjectsRules } from '../../../src/targets/objects/rbac-rules.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { KubeRig } from '../../support/kube-rig.ts'
import { eventually } from '../../support/wait.ts'

const WAIT = { timeoutMs: 60_000 }
const CRDS = join(import.meta.dirname, '../../../crds')

let api: KubeApi
let etcd: EtcdServer

beforeAll(async () => {
  api = await startKubeApi({ users: ['mirror'] })
  etcd = await startEtcd({ version: '3.6' })
  await api.kubectl(['apply', '-f', CRDS])
  await api.kubectl(['wait', '--for=condition=Established', 'crd/etcdkeys.etcdmirror.dev', '--timeout=60s'])
})
afterAll(async () => {
  await etcd?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
})

const make = () => KubeRig.make({ api, etcd, target: { etcdKeys: {} } })

describe('target etcdKeys', () => {
  test('follows puts, deletes, transactions and any bytes; writes nothing twice', async () => {
    await using rig = await make()
    await rig.writer.txn({ 'feature/dark-mode': 'on', 'Feature/Dark_Mode': 'off', 'a.b': '1', 'a/b': '2' })
    await rig.writer.put(Buffer.from([0xff, 0xfe]), Buffer.from([0xff, 0]))
    await rig.writer.put('empty', '')
    const run = await rig.run()
    const names = (await rig.settledEtcdKeys()).map(({ metadata }) => metadata.name)
    expect(names).toContain('app.feature.dark-mode')
    await rig.writer.txn(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`many/${index}`, true])))
    await rig.settledEtcdKeys()
    await rig.writer.deletePrefix('many/1')
    await rig.writer.put('feature/dark-mode', 'off')
    const objects = await rig.settledEtcdKeys()
    const shown = objects.find(({ metadata }) => metadata.name === 'app.feature.dark-mode')
    expect(shown?.spec).toMatchObject({ key: `${rig.prefix}feature/dark-mode`, value: 'off', version: 2 })
    expect(await rig.kubectl(['get', 'etcdkeys', 'app.feature.dark-mode'])).toMatch(/KEY\s+REVISION\s+VERSION\s+MIRROR/)
    const { publishedRevision, keys } = await run.settled()
    expect([publishedRevision, keys]).toEqual([rig.writer.log.lastRevision, objects.length])
    const written = await run.metric('etcd_mirror_objects_total', { result: 'written' })
    // One request for each object: 6 + 300 + 1, and the index now and then.
    expect(written).toBe(307)
    run.process.signal('SIGHUP')
    await eventually(async () => expect(await run.metric('etcd_mirror_resync_total', { reason: 'request' })).toBe(1))
    await run.settled()
    expect(await run.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(written)
    // Nor the index: since the resync at the latest it tells of the last change.
    const patches = await run.metric('etcd_mirror_kube_requests_total', { method: 'PATCH' })
    run.process.signal('SIGHUP')
    await eventually(
      async () => expect(await run.metric('etcd_mirror_resync_total', { reason: 'request' })).toBe(2),
      WAIT,
    )
    await run.settled()
    expect(await run.metric('etcd_mirror_kube_requests_total', { method: 'PATCH' })).toBe(patches)
  })

  test('a restarted mirror goes on from the index, and finds what changed while it was down', async () => {
    await using rig = await make()
    await rig.writer.txn({ a: '1', b: '2', c: '3' })
    const first = await rig.run()
    await rig.settledEtcdKeys()
    await first.settled()
    expect((await first.process.kill()).code).toBe(0)
    await rig.writer.txn({ a: '4', b: undefined, d: '5' })
    const second = await rig.run()
    await rig.settledEtcdKeys()
    await second.settled()
    expect(await second.metric('etcd_mirror_resync_total')).toBe(0)
    expect(await second.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(2)
    await second.process.kill()
    await rig.kubectl(['delete', 'etcdkey', 'app.a'])
    await rig.kubectl(['patch', 'etcdkey', 'app.c', '--type=merge', '-p', '{"spec":{"value":"edited"}}'])
    const third = await rig.run()
    await rig.settledEtcdKeys()
    await third.settled()
    expect(await third.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(2)
  })

  test('what somebody changes, deletes or keeps is put right', async () => {
    await using rig = await make()
    await rig.writer.txn({ a: '1', b: '2' })
    const run = await rig.run()
    await rig.settledEtcdKeys()
    await run.settled()
    await rig.kubectl(['patch', 'etcdkey', 'app.a', '--type=merge', '-p', '{"spec":{"value":"edited"}}'])
    await rig.settledEtcdKeys()
    await rig.kubectl(['delete', 'etcdkey', 'app.b'])
    await rig.settledEtcdKeys()
    await eventually(async () => expect(await run.metric('etcd_mirror_drift_detected_total')).toBeGreaterThan(0))
    // A label of somebody else is no drift.
    const before = await run.metric('etcd_mirror_objects_total', { result: 'written' })
    await rig.kubectl(['label', 'etcdkey', 'app.a', 'team=a'])
    await rig.writer.put('c', '3')
    await rig.settledEtcdKeys()
    expect(await run.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(before + 1)
  })

  test('an object of somebody else stops that key alone', async () => {
    await using rig = await make()
    const spec = { key: 'theirs', createRevision: 1, modRevision: 1, version: 1 }
    const theirs = { apiVersion: 'etcdmirror.dev/v1alpha1', kind: 'EtcdKey', metadata: { name: 'app.a' }, spec }
    await rig.kubectl(['create', '-f', '-'], JSON.stringify(theirs))
    await rig.writer.txn({ a: '1', b: '2' })
    const run = await rig.run()
    await run.failing('TargetForeign')
    await eventually(async () => expect((await rig.get(ETCD_KEYS, 'app.b'))?.spec).toMatchObject({ value: '2' }))
    expect((await rig.get(ETCD_KEYS, 'app.a'))?.spec).toEqual(spec)
    expect((await run.status()).published).toBe(false)
    await rig.kubectl(['delete', 'etcdkey', 'app.a'])
    await rig.settledEtcdKeys()
    await run.settled()
  })

  test('a value that no object holds is reported, the others are written', async () => {
    await using rig = await make()
    await rig.writer.put('a', '1')
    const run = await rig.run()
    await rig.settledEtcdKeys()
    await rig.writer.put('large', Buffer.alloc(1 << 20, 'x'))
    await rig.writer.put('b', '2')
    const { keys } = await run.until((status) => expect(status.keyErrors.count).toBe(1))
    expect(keys).toBeGreaterThanOrEqual(2)
    await eventually(async () => expect(await rig.get(ETCD_KEYS, 'app.b')).toBeDefined())
    await rig.writer.put('large', 'small')
    await rig.settledEtcdKeys()
    await run.until((status) => expect(status.keyErrors.count).toBe(0))
  })

  test('converges over a killed API server, a killed etcd and a killed mirror', async () => {
    await using rig = await make()
    const write = async (start: number) => {
      for (let index = start; index < start + 60; index++) {
        await rig.writer.txn({ [`k/${index % 20}`]: index % 5 === 0 ? undefined : true, [`n/${index}`]: true })
      }
    }
    await write(0)
    const run = await rig.run()
    await rig.settledEtcdKeys()
    await api.kill()
    await write(100)
    await api.restart()
    await rig.settledEtcdKeys()
    await etcd.kill()
    await etcd.restart()
    await rig.writer.reconnect()
    await write(200)
    await rig.settledEtcdKeys()
    await run.process.kill('SIGKILL')
    await write(300)
    const second = await rig.run()
    await rig.settledEtcdKeys()
    await second.settled()
  })

  test('one of two processes writes, and the other goes on where it ends', async () => {
    await using rig = await make()
    await rig.writer.put('a', '1')
    const first = await rig.run()
    await rig.settledEtcdKeys()
    const second = await rig.run()
    await second.failing('TargetBusy')
    first.process.signal('SIGSTOP')
    await rig.writer.put('a', '2')
    await rig.settledEtcdKeys()
    first.process.signal('SIGCONT')
    await rig.writer.put('a', '3')
    await first.failing('TargetBusy')
    await rig.settledEtcdKeys()
    expect(await second.metric('etcd_mirror_resync_total')).toBeLessThanOrEqual(1)
  })

  test('5,000 keys', { timeout: 400_000 }, async () => {
    await using rig = await make()
    await rig.writer.txn(Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`service/${index}`, true])))
    const run = await rig.run()
    await eventually(async () => expect((await run.status()).published).toBe(true), {
      timeoutMs: 380_000,
      intervalMs: 500,
    })
    await rig.settledEtcdKeys()
    expect(await run.metric('etcd_mirror_kube_requests_total', { method: 'PATCH' })).toBeLessThan(5500)
  })

  test('every rule of the least role is needed', async () => {
    const rules = manyObjectsRules('app', [ETCD_KEYS])
    await using rig = await make()
    await rig.writer.put('a', '0')
    for (const rule of rules) {
      await rig.grant(rules.filter((each) => each !== rule))
      const run = await rig.run()
      const { published } = await run.failing('TargetNotWritable')
      expect(published, JSON.stringify(rule)).toBe(false)
      expect((await run.process.kill()).code).toBe(0)
    }
    await rig.grant(rules)
    const once = await rig.run({ args: ['--one-time'] })
    expect((await once.process.exit).code).toBe(0)
    expect(await rig.get(CONFIG_MAPS, 'etcd-mirror-app')).toBeDefined()
  })

  test('without its CRD it waits and says so', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    const run = await rig.run()
    await rig.settledEtcdKeys()
    await run.settled()
    await api.kubectl(['delete', 'crd', 'etcdkeys.etcdmirror.dev'])
    await rig.writer.put('a', '1')
    await run.failing('TargetNotWritable')
    await api.kubectl(['apply', '-f', CRDS])
    await rig.settledEtcdKeys()
    await run.settled()
  })
})
