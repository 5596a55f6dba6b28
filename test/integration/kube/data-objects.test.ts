import { describe, expect, test } from 'vitest'
import { SECRETS } from '../../../src/kube/kube-resource.ts'
import { useKube } from '../../support/kube-servers.ts'
import { configMapTarget, secretTarget } from '../../support/kube-targets.ts'
import { eventually } from '../../support/wait.ts'

const kube = useKube()
const KINDS = [
  ['configMap', configMapTarget, (text: string) => text],
  ['secret', secretTarget, (text: string) => Buffer.from(text).toString('base64')],
] as const

describe.each(KINDS)('target %s', (kind, targetWith, encoded) => {
  const { resource } = targetWith()
  const make = (fields: Readonly<Record<string, unknown>> = {}) => kube.rig([targetWith(fields)])
  const create = ['create', ...(kind === 'secret' ? ['secret', 'generic'] : ['configmap'])]

  test('has the labels and annotations of the user, and bytes that are no text', async () => {
    await using rig = await make({ labels: { team: 'a' }, annotations: { 'reloader.example/auto': 'true' } })
    await rig.writer.put('binary', Buffer.from([0xff, 0, 0x80]))
    await rig.run()
    const { metadata } = await rig.holder('binary')
    expect(metadata.labels).toEqual({
      team: 'a',
      'app.kubernetes.io/managed-by': 'etcd-mirror',
      'etcdmirror.dev/mirror': 'app',
    })
    expect(metadata.annotations).toMatchObject({
      'reloader.example/auto': 'true',
      'etcdmirror.dev/prefix': rig.prefix,
    })
    await rig.writer.put('binary', 'text')
    await rig.settled()
  })

  test('a restarted mirror goes on without a snapshot, also after changes while it was down', async () => {
    await using rig = await make()
    await rig.writer.txn({ 'a.b': '1', 'c/d': '2', 'e/f.g': '3', '.hidden': '4' })
    const first = await rig.run()
    await rig.settled()
    expect((await first.process.kill()).code).toBe(0)
    await rig.writer.txn({ 'a.b': '5', 'c/d': undefined, 'x/y': '6' })
    const second = await rig.run()
    await rig.settled()
    expect(await second.metric('etcd_mirror_resync_total')).toBe(0)
  })

  test('keys that cannot be data keys are reported, and the others written', async () => {
    await using rig = await make()
    await rig.writer.put('good', '1')
    const good = rig.expected(targetWith())
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
      expect((await rig.data(resource, 'app'))['a.b']).toBe(encoded('loses'))
    })
    expect((await run.until((each) => expect(each.keyErrors.count).toBe(2))).keys).toBe(4)
  })

  test('what somebody changes or takes away is put right; what they add is theirs', async () => {
    await using rig = await make()
    await rig.writer.txn({ a: '1', b: '2' })
    const run = await rig.run()
    await rig.settled()
    await rig.edit('a', 'edited')
    await rig.settled()
    expect(await run.metric('etcd_mirror_object_conflicts_total', { result: 'repaired' })).toBe(1)
    await rig.kubectl(['patch', kind, 'app', '-p', '{"data":{"b":null}}'])
    await rig.settled()
    await eventually(async () => expect(await run.metric('etcd_mirror_drift_detected_total')).toBe(2))
    await rig.edit('foreign', 'theirs')
    await eventually(async () => expect(await run.metric('etcd_mirror_foreign_data_keys')).toBe(1))
    expect(await run.metric('etcd_mirror_drift_detected_total')).toBe(2)
  })

  test('creationPolicy Merge shares an object, and takes away only what is its own', async () => {
    await using rig = await make({ creationPolicy: 'Merge' })
    await rig.writer.txn({ a: '1', b: '2' })
    await rig.kubectl([...create, 'app', '--from-literal=theirs=1'])
    const run = await rig.run()
    await run.settled()
    await rig.writer.delete('b')
    await run.settled()
    await eventually(async () => {
      expect(Object.keys(await rig.data(resource, 'app')).sort()).toEqual(['a', 'theirs'])
    })
  })
})

test('diff, verify and run --dry-run compare a Secret with etcd by names and sizes, and write nothing', async () => {
  await using rig = await kube.rig([secretTarget({ labels: { team: 'a' } })])
  await rig.writer.txn({ 'a/b': 'hunter2', gone: '1', same: 'same' })
  const dry = await rig.command('run', ['--dry-run'])
  expect([dry.code, JSON.parse(dry.output.split('\n').at(-1) ?? '')]).toEqual([
    0,
    expect.objectContaining({ msg: 'would publish', mirror: 'app', keys: 3, added: 3, changed: 0, removed: 0 }),
  ])
  expect(await rig.get(SECRETS, 'app')).toBeUndefined()
  expect((await rig.command('run', ['--one-time'])).code).toBe(0)
  const before = await rig.holder('a/b')
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
  await using rig = await kube.rig([secretTarget()])
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
