import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIG_MAPS, SECRETS } from '../../../src/kube/kube-resource.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { KubeRig } from '../../support/kube-rig.ts'
import { eventually } from '../../support/wait.ts'

let api: KubeApi
let etcd: EtcdServer

beforeAll(async () => {
  api = await startKubeApi({ users: ['mirror'] })
  etcd = await startEtcd({ version: '3.6' })
})
afterAll(async () => {
  await etcd?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
})

const KINDS = [
  ['configMap', 'ConfigMap', CONFIG_MAPS],
  ['secret', 'Secret', SECRETS],
] as const

describe.each(KINDS)('target %s', (target, kind, resource) => {
  const make = (fields: Readonly<Record<string, unknown>> = {}, mirror: Readonly<Record<string, unknown>> = {}) =>
    KubeRig.make({ api, etcd, target: { [target]: { name: 'app', ...fields } }, mirror })

  test('follows puts, deletes, transactions and bytes that are no text', async () => {
    await using rig = await make({ labels: { team: 'a' }, annotations: { 'reloader.example/auto': 'true' } })
    await rig.writer.put('first', 'one')
    const run = await rig.run()
    const first = await rig.settled(kind)
    expect(first.metadata.labels).toEqual({
      team: 'a',
      'app.kubernetes.io/managed-by': 'etcd-mirror',
      'etcdmirror.dev/mirror': 'app',
    })
    expect(first.metadata.annotations).toMatchObject({
      'reloader.example/auto': 'true',
      'etcdmirror.dev/prefix': rig.prefix,
    })
    await rig.writer.put('deep/er', 'two')
    await rig.writer.put('binary', Buffer.from([0xff, 0, 0x80]))
    await rig.writer.txn(Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`many/${index}`, true])))
    await rig.settled(kind)
    await rig.writer.delete('first')
    await rig.writer.deletePrefix('many/1')
    const last = await rig.settled(kind)
    expect(last.metadata.uid).toBe(first.metadata.uid)
    const { appliedRevision } = await run.settled()
    expect(appliedRevision).toBeGreaterThanOrEqual(rig.writer.log.lastRevision)
    // What is there already is not written again.
    const written = await run.metric('etcd_mirror_objects_total', { result: 'written' })
    run.process.signal('SIGHUP')
    await eventually(async () => {
      expect(await run.metric('etcd_mirror_resync_total', { reason: 'request' })).toBe(1)
      expect(await run.metric('etcd_mirror_objects_total', { result: 'unchanged' })).toBeGreaterThan(0)
    })
    expect(await run.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(written)
    expect((await rig.get(resource, 'app'))?.metadata.resourceVersion).toBe(last.metadata.resourceVersion)
  })

  test('a restarted mirror goes on without a snapshot, also after changes while it was down', async () => {
    await using rig = await make()
    await rig.writer.txn({ 'a.b': '1', 'c/d': '2', 'e/f.g': '3', '.hidden': '4' })
    const first = await rig.run()
    await rig.settled(kind)
    expect((await first.process.kill()).code).toBe(0)
    await rig.writer.txn({ 'a.b': '5', 'c/d': undefined, 'x/y': '6' })
    const second = await rig.run()
    await rig.settled(kind)
    expect(await second.metric('etcd_mirror_resync_total')).toBe(0)
    await second.process.kill('SIGKILL')
    await rig.writer.put('x/y', '7')
    const third = await rig.run()
    await rig.settled(kind)
    expect(await third.metric('etcd_mirror_resync_total')).toBe(0)
  })

  test('keys that cannot be data keys are reported, and the others written', async () => {
    await using rig = await make()
    await rig.writer.put('good', '1')
    const good = rig.named()
    await rig.writer.put('a/b', 'loses')
    await rig.writer.put('a.b', 'wins')
    await rig.writer.put('no name', 'x')
    await rig.writer.put(Buffer.from([0xff, 0xfe]), 'x')
    const run = await rig.run()
    const status = await run.until((each) => expect(each.keyErrors.count).toBe(3))
    expect(status.keys).toBe(5)
    expect(Object.keys(await rig.data(resource, 'app')).sort()).toEqual(['a.b', 'good'])
    expect(good.size).toBe(1)
    await rig.writer.delete('a.b')
    await eventually(async () => {
      expect((await rig.data(resource, 'app'))['a.b']).toBe(
        kind === 'Secret' ? Buffer.from('loses').toString('base64') : 'loses',
      )
    })
    expect((await run.until((each) => expect(each.keyErrors.count).toBe(2))).keys).toBe(4)
  })

  test('what somebody changes or deletes is put right', async () => {
    await using rig = await make()
    await rig.writer.txn({ a: '1', b: '2' })
    const run = await rig.run()
    const first = await rig.settled(kind)
    const edited = kind === 'Secret' ? Buffer.from('edited').toString('base64') : 'edited'
    await rig.kubectl(['patch', target, 'app', '-p', JSON.stringify({ data: { a: edited } })])
    await rig.settled(kind)
    expect(await run.metric('etcd_mirror_object_conflicts_total', { result: 'repaired' })).toBe(1)
    await rig.kubectl(['patch', target, 'app', '-p', '{"data":{"b":null}}'])
    await rig.settled(kind)
    await rig.kubectl(['delete', target, 'app'])
    const second = await rig.settled(kind)
    expect(second.metadata.uid).not.toBe(first.metadata.uid)
    await eventually(async () => expect(await run.metric('etcd_mirror_drift_detected_total')).toBe(3))
    // Data of others is theirs.
    await rig.kubectl(['patch', target, 'app', '-p', JSON.stringify({ data: { foreign: edited } })])
    await eventually(async () => expect(await run.metric('etcd_mirror_foreign_data_keys')).toBe(1), {
      timeoutMs: 30_000,
    })
    expect(await run.metric('etcd_mirror_drift_detected_total')).toBe(3)
  })

  test('who holds to a field by server-side apply is not fought', async () => {
    await using rig = await make()
    await rig.writer.put('a', '1')
    const run = await rig.run()
    await rig.settled(kind)
    const value = kind === 'Secret' ? Buffer.from('theirs').toString('base64') : 'theirs'
    const theirs = { apiVersion: 'v1', kind, metadata: { name: 'app' }, data: { a: value } }
    const apply = ['apply', '--server-side', '--force-conflicts', '--field-manager=gitops', '-f', '-']
    await rig.kubectl(apply, JSON.stringify(theirs))
    const { lastError } = await run.failing('TargetConflict')
    expect(lastError?.message).toMatch(/gitops|withheld/)
    const seen = await rig.get(resource, 'app')
    expect((await rig.data(resource, 'app')).a).toBe(value)
    await rig.writer.put('b', '2')
    await eventually(async () =>
      expect(await run.metric('etcd_mirror_object_conflicts_total', { result: 'refused' })).toBeGreaterThan(1),
    )
    expect((await rig.get(resource, 'app'))?.metadata.resourceVersion).toBe(seen?.metadata.resourceVersion)
    // They let it go.
    await rig.kubectl(apply, JSON.stringify({ ...theirs, data: undefined }))
    await rig.settled(kind)
    await run.until((status) => expect(status.lastError).toBeNull())
  })

  test('an object of somebody else is left alone', async () => {
    await using rig = await make()
    await rig.writer.put('a', '1')
    await rig.kubectl([
      'create',
      ...(kind === 'Secret' ? ['secret', 'generic'] : ['configmap']),
      'app',
      '--from-literal=x=1',
    ])
    const before = await rig.get(resource, 'app')
    const run = await rig.run()
    await run.failing('TargetForeign')
    expect(await rig.get(resource, 'app')).toEqual(before)
    await rig.kubectl(['delete', target, 'app'])
    await rig.settled(kind)
  })

  test('creationPolicy Merge shares an object, and takes away only what is its own', async () => {
    await using rig = await make({ creationPolicy: 'Merge' })
    await rig.writer.txn({ a: '1', b: '2' })
    const literal = ['app', '--from-literal=theirs=1']
    await rig.kubectl(['create', ...(kind === 'Secret' ? ['secret', 'generic'] : ['configmap']), ...literal])
    const run = await rig.run()
    await run.settled()
    await rig.writer.delete('b')
    await run.settled()
    await eventually(async () => {
      expect(Object.keys(await rig.data(resource, 'app')).sort()).toEqual(['a', 'theirs'])
    })
  })

  test('a copy that one object cannot hold is not written, and the one before stays', async () => {
    await using rig = await make()
    await rig.writer.put('small', '1')
    const run = await rig.run()
    const before = await rig.settled(kind)
    await rig.writer.put('large', Buffer.alloc(1 << 20, 'x'))
    const { publishedRevision } = await run.failing('TargetTooLarge')
    const after = await rig.get(resource, 'app')
    expect([after?.data, publishedRevision]).toEqual([
      before.data,
      Number(before.metadata.annotations?.['etcdmirror.dev/revision']),
    ])
    await rig.writer.put('large', Buffer.alloc(800 * 1024, 'x'))
    await rig.settled(kind)
    await run.until((status) => expect(status.lastError).toBeNull())
  })

  test('5,000 keys fit, and survive a restart', async () => {
    await using rig = await make()
    const keys = Array.from({ length: 5000 }, (_, index) => [`service-${index % 50}/setting.${index}`, true] as const)
    await rig.writer.txn(Object.fromEntries(keys))
    const first = await rig.run()
    await rig.settled(kind)
    await first.process.kill()
    await rig.writer.put('service-1/setting.1', 'changed')
    const second = await rig.run()
    await rig.settled(kind)
    expect(await second.metric('etcd_mirror_resync_total')).toBe(0)
  })
})

test('diff, verify and run --dry-run compare a Secret with etcd by names and sizes, and write nothing', async () => {
  await using rig = await KubeRig.make({ api, etcd, target: { secret: { name: 'app', labels: { team: 'a' } } } })
  await rig.writer.txn({ 'a/b': 'hunter2', gone: '1', same: 'same' })
  expect(await rig.command('diff')).toMatchObject({ code: 6, output: expect.stringContaining('nothing published') })
  expect(await rig.command('verify')).toMatchObject({ code: 5 })
  const dry = await rig.command('run', ['--dry-run'])
  expect([dry.code, JSON.parse(dry.output.split('\n').at(-1) ?? '')]).toEqual([
    0,
    expect.objectContaining({ msg: 'would publish', mirror: 'app', keys: 3, added: 3, changed: 0, removed: 0 }),
  ])
  expect(await rig.get(SECRETS, 'app')).toBeUndefined()
  expect((await rig.command('run', ['--one-time'])).code).toBe(0)
  const before = await rig.settled('Secret')
  expect(await rig.command('diff')).toMatchObject({ code: 0, output: expect.stringContaining('3 keys') })
  await rig.writer.txn({ 'a/b': 'hunter2!', gone: undefined, new: '12' })
  const { code, output } = await rig.command('diff')
  expect(code).toBe(6)
  expect(
    output
      .split('\n')
      .slice(1)
      .map((line) => line.trim().replace(/ +/g, ' ')),
  ).toEqual(['~ a.b 7 B → 8 B', '- gone 1 B', '+ new 2 B', '1 to add, 1 to change, 1 to remove; then 3 keys'])
  expect(output).not.toContain('hunter2')
  // At the revision of the copy nothing differs, until somebody changes it.
  expect((await rig.command('verify')).code).toBe(0)
  await rig.kubectl(['label', '--overwrite', 'secret', 'app', 'team=b'])
  await rig.kubectl(['patch', 'secret', 'app', '-p', '{"data":{"same":"b3RoZXI="}}'])
  expect(await rig.command('verify')).toMatchObject({
    code: 6,
    output: expect.stringMatching(/2 paths differ[\s\S]*m metadata +labels or annotations[\s\S]*~ same/),
  })
  expect((await rig.get(SECRETS, 'app'))?.metadata.uid).toBe(before.metadata.uid)
})

test('diff says when an object cannot hold the copy, and when it is not the mirror’s', async () => {
  await using rig = await KubeRig.make({ api, etcd, target: { secret: { name: 'app' } } })
  for (let part = 0; part < 4; part++) await rig.writer.put(`large/${part}`, Buffer.alloc(300_000, 'x'))
  expect(await rig.command('diff')).toMatchObject({
    code: 5,
    output: expect.stringContaining('one object holds 921600'),
  })
  await rig.writer.deletePrefix('large/')
  await rig.kubectl(
    ['apply', '-f', '-'],
    JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 'app' } }),
  )
  expect(await rig.command('diff')).toMatchObject({
    code: 5,
    output: expect.stringContaining('it exists and no mirror made it'),
  })
})
