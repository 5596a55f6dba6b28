import { describe, expect, test } from 'vitest'
import { CONFIG_MAPS, SECRETS } from '../../../src/kube/kube-resource.ts'
import { manyObjectsRules } from '../../../src/targets/objects/rbac-rules.ts'
import type { KubeRig, KubeRun } from '../../support/kube-rig.ts'
import { useKube } from '../../support/kube-servers.ts'
import { configMapTarget } from '../../support/kube-targets.ts'
import { eventually } from '../../support/wait.ts'

const kube = useKube()

const ALLOWED = ['--allow-kinds', 'v1/ConfigMap,v1/Secret']
const make = (template: string, values = 'Text') =>
  kube.rig([], { target: { objects: { template, values } }, rules: manyObjectsRules('app', [CONFIG_MAPS, SECRETS]) })

/** A ConfigMap for each key, and a Secret beside it for those that want one. */
const SERVICE = `
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ name }}
  labels: { team: {{ value.team | toJson }} }
data:
  key: {{ key | toJson }}
  port: {{ value.port | toJson | toJson }}
---
{% if value.secret %}
apiVersion: v1
kind: Secret
metadata: { name: {{ name }}-credentials }
stringData: { password: {{ value.secret | toJson }} }
{% endif %}
`

describe('target objects', () => {
  test('diff names the objects that a publish would write, and the keys that make none', async () => {
    await using rig = await make(SERVICE, 'Json')
    await rig.writer.txn({ web: JSON.stringify({ team: 'a', port: 80, secret: 's1' }), bad: 'hunter2' })
    const { code, output } = await rig.command('diff', ALLOWED)
    expect(code).toBe(6)
    for (const line of [
      '+ configmaps/app.web ',
      '+ secrets/app.web-credentials ',
      '1 keys have no place in the target',
    ])
      expect(output).toContain(line)
    expect(output).not.toContain('hunter2')
    expect(await rig.get(CONFIG_MAPS, 'app.web')).toBeUndefined()
    const run = await rig.run({ args: ALLOWED })
    await run.settled()
    expect(await rig.command('diff', ALLOWED)).toMatchObject({ code: 0, output: expect.stringContaining('2 keys') })
  })

  test('makes, changes and takes away the objects of each key', async () => {
    await using rig = await make(SERVICE, 'Json')
    const service = (fields: Readonly<Record<string, unknown>>) =>
      JSON.stringify({ team: 'a', secret: null, ...fields })
    await rig.writer.txn({ web: service({ port: 80, secret: 's1' }), 'db/main': service({ port: 5432 }) })
    const run = await rig.run({ args: ALLOWED })
    await run.settled()
    expect((await rig.get(CONFIG_MAPS, 'app.web'))?.metadata.labels).toMatchObject({ team: 'a' })
    expect(await rig.data(CONFIG_MAPS, 'app.db.main')).toEqual({ key: 'db/main', port: '5432' })
    expect(await rig.get(SECRETS, 'app.web-credentials')).toBeDefined()
    await rig.writer.put('web', service({ port: 81, team: 'b' }))
    await rig.writer.delete('db/main')
    await run.settled()
    expect((await rig.get(CONFIG_MAPS, 'app.web'))?.metadata.labels).toMatchObject({ team: 'b' })
    expect(await rig.get(SECRETS, 'app.web-credentials')).toBeUndefined()
    expect(await rig.get(CONFIG_MAPS, 'app.db.main')).toBeUndefined()
    const { appliedRevision, keys } = await run.settled()
    expect([appliedRevision >= rig.writer.log.lastRevision, keys]).toEqual([true, 1])
    expect((await run.process.kill()).code).toBe(0)
    await rig.writer.put('db/main', service({ port: 1 }))
    const second = await rig.run({ args: ALLOWED })
    await second.settled()
    expect(await second.metric('etcd_mirror_resync_total')).toBe(0)
    expect(await rig.data(CONFIG_MAPS, 'app.db.main')).toEqual({ key: 'db/main', port: '1' })
    await rig.kubectl(['patch', 'configmap', 'app.web', '-p', '{"data":{"port":"edited"}}'])
    await eventually(async () => expect((await rig.data(CONFIG_MAPS, 'app.web')).port).toBe('81'), {
      timeoutMs: 60_000,
    })
    await rig.kubectl(['delete', 'configmap', 'app.web'])
    await eventually(async () => expect((await rig.data(CONFIG_MAPS, 'app.web')).port).toBe('81'), {
      timeoutMs: 60_000,
    })
  })

  test('what a key or the API does not allow is reported by key, and stops no other', async () => {
    await using rig = await make(
      '{% if value.raw %}{{ value.raw }}{% else %}{ "apiVersion": "v1", "kind": "ConfigMap", "metadata": { "name": {{ value.name | toJson }} }, "data": {} }{% endif %}',
      'Json',
    )
    const raw = (text: string) => JSON.stringify({ raw: text, name: '' })
    await rig.writer.txn({
      good: '{ "raw": null, "name": "good" }',
      'no-json': 'x',
      'other-kind': raw('{ apiVersion: v1, kind: Pod, metadata: { name: p } }'),
      'other-namespace': raw('{ apiVersion: v1, kind: ConfigMap, metadata: { name: p, namespace: kube-system } }'),
      'no-yaml': raw('{ a: ['),
      'no-name': raw('{ apiVersion: v1, kind: ConfigMap, metadata: {} }'),
      'bad-data': raw('{ apiVersion: v1, kind: ConfigMap, metadata: { name: p }, data: { "a/b": x } }'),
      token: raw('{ apiVersion: v1, kind: Secret, type: kubernetes.io/service-account-token, metadata: { name: p } }'),
      zsame: '{ "raw": null, "name": "good" }',
    })
    const run = await rig.run({ args: ALLOWED })
    const { keyErrors } = await run.until((status) => expect(status.keyErrors.count, JSON.stringify(status)).toBe(8))
    const reasons = new Map((keyErrors.examples ?? []).map(({ key, reason }) => [key.slice(rig.prefix.length), reason]))
    expect(reasons.get('other-kind')).toContain('v1 Pod, which --allow-kinds does not name')
    expect(reasons.get('no-json')).toContain('is not JSON')
    expect(reasons.get('bad-data')).toContain('422 Invalid')
    expect(reasons.get('zsame')).toContain('is that of another key')
    expect(await rig.get(CONFIG_MAPS, 'good')).toBeDefined()
    await rig.writer.put('no-json', '{ "raw": null, "name": "healed" }')
    await rig.writer.delete('good')
    await eventually(async () => expect(await rig.get(CONFIG_MAPS, 'healed')).toBeDefined(), { timeoutMs: 60_000 })
    // Who waited for the object gets it.
    await run.until((status) => expect(status.keyErrors.count).toBe(6))
    const { metadata } = (await rig.get(CONFIG_MAPS, 'good')) ?? {}
    expect(metadata?.annotations?.['etcdmirror.dev/source']).toBe('app.zsame')
  })

  test('what was changed or deleted while it was down is put right at the start; what is equal is not written', async () => {
    await using rig = await make(SERVICE, 'Json')
    const service = JSON.stringify({ port: 80, team: 'a', secret: 's1' })
    await rig.writer.txn(Object.fromEntries(['a', 'b', 'c', 'd'].map((key) => [key, service])))
    const first = await rig.run({ args: ALLOWED })
    await first.settled()
    const names = ['app.a', 'app.b', 'app.c', 'app.d']
    const versions = async () =>
      Object.fromEntries((await rig.list(CONFIG_MAPS)).map(({ metadata }) => [metadata.name, metadata.resourceVersion]))
    expect((await first.process.kill()).code).toBe(0)
    await rig.kubectl(['label', 'configmap', 'app.a', 'of=somebody'])
    const before = await versions()
    const second = await rig.run({ args: ALLOWED })
    await second.settled()
    expect(await second.metric('etcd_mirror_kube_requests_total', { method: 'PATCH' })).toBe(0)
    expect(await second.metric('etcd_mirror_resync_total')).toBe(0)
    expect((await second.process.kill()).code).toBe(0)
    await rig.kubectl(['label', 'configmap', 'app.b', 'team=b', '--overwrite'])
    await rig.kubectl(['patch', 'secret', 'app.c-credentials', '-p', '{"stringData":{"password":"edited"}}'])
    await rig.kubectl(['delete', 'configmap', 'app.d'])
    const third = await rig.run({ args: ALLOWED })
    await third.settled()
    expect((await rig.get(CONFIG_MAPS, 'app.b'))?.metadata.labels).toMatchObject({ team: 'a' })
    expect(await rig.data(SECRETS, 'app.c-credentials')).toEqual({ password: Buffer.from('s1').toString('base64') })
    expect(await rig.data(CONFIG_MAPS, 'app.d')).toEqual({ key: 'd', port: '80' })
    expect(await third.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(3)
    // The three, and the index.
    expect(await third.metric('etcd_mirror_kube_requests_total', { method: 'PATCH', result: 'ok' })).toBe(4)
    const after = await versions()
    expect(names.map((name) => after[name] === before[name])).toEqual([true, false, true, false])
    // Without the index nothing is known of the objects: all are applied, which changes none.
    await third.process.kill()
    await rig.kubectl(['delete', 'configmap', 'etcd-mirror-app'])
    const fourth = await rig.run({ args: ALLOWED })
    await fourth.settled()
    expect(await fourth.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(0)
    expect(await versions()).toMatchObject(Object.fromEntries(names.map((name) => [name, after[name]])))
  })

  test('kinds that would give power over the cluster cannot be allowed', async () => {
    await using rig = await make('x')
    for (const kind of ['v1/Pod', 'rbac.authorization.k8s.io/v1/Role', 'apps/v1/Deployment', 'ConfigMap']) {
      const run = await rig.run({ args: ['--allow-kinds', kind] })
      expect((await run.process.exit).code, kind).toBe(2)
    }
  })
})

/** One ConfigMap for each directory, one data key for each key in it. */
const DIRECTORY = `
apiVersion: v1
kind: ConfigMap
metadata: { name: {{ name }} }
data:
  {% for each in keys %}
  {{ each.path | replace: "/", "." | toJson }}: {{ each.value | toJson | toJson }}
  {% endfor %}
`
const makeGrouped = (mirror: Readonly<Record<string, unknown>> = {}) =>
  kube.rig([], {
    mirror,
    target: { objects: { template: DIRECTORY, per: 'Group', values: 'Json' } },
    rules: manyObjectsRules('app', [CONFIG_MAPS, SECRETS]),
  })

/** What stands there: data and version of each object of the mirror. */
async function shown(rig: KubeRig) {
  const objects = (await rig.list(CONFIG_MAPS)).filter(({ metadata }) => metadata.name.startsWith('app.'))
  const entries = objects.map(({ metadata, data = {} }) => [metadata.name, { data, version: metadata.resourceVersion }])
  return Object.fromEntries(entries) as Record<string, { data: unknown; version: string }>
}
const written = (run: KubeRun) => run.metric('etcd_mirror_objects_total', { result: 'written' })

describe('target objects, per: Group', () => {
  test('follows each group; one changed key writes the object of its group alone; its last key takes it away', async () => {
    await using rig = await makeGrouped()
    await rig.writer.txn({ 'web/port': '80', 'web/a/b': '"x"', 'db/port': '5432', 'Cache.1/size': '1' })
    const run = await rig.run({ args: ALLOWED })
    expect((await run.settled()).keys).toBe(4)
    const first = await shown(rig)
    expect(first['app.web']?.data).toEqual({ port: '80', 'a.b': '"x"' })
    expect(first['app.db']?.data).toEqual({ port: '5432' })
    expect(Object.keys(first).length).toBe(3)
    await rig.writer.txn({ 'web/port': '81', 'new/key': 'true' })
    await run.settled()
    const second = await shown(rig)
    expect(second['app.web']?.data).toEqual({ port: '81', 'a.b': '"x"' })
    expect(second['app.db']).toEqual(first['app.db'])
    expect(await written(run)).toBe(5)
    await rig.writer.txn({ 'web/port': undefined, 'db/port': undefined })
    expect((await run.settled()).keys).toBe(3)
    const third = await shown(rig)
    expect(third['app.web']?.data).toEqual({ 'a.b': '"x"' })
    expect(third['app.db']).toBeUndefined()
    expect(await written(run)).toBe(6)
    expect((await run.process.kill()).code).toBe(0)
    expect((await rig.command('diff', ALLOWED)).code).toBe(0)
    await rig.writer.put('web/host', '"h"')
    const { code, output } = await rig.command('diff', ALLOWED)
    expect([code, output]).toEqual([6, expect.stringContaining('configmaps/app.web')])
  })

  test('a key that is no good is named, its group stays as it was, and the others go on', async () => {
    await using rig = await makeGrouped()
    await rig.writer.txn({ 'web/port': '80', 'web/host': '"h"', 'db/port': '1' })
    const run = await rig.run({ args: ALLOWED })
    await run.settled()
    await rig.writer.txn({ 'web/port': 'no JSON', 'web/host': '"other"', 'db/port': '2', 'bad name/a b': '1' })
    const { keyErrors, keys } = await run.until((status) => expect(status.keyErrors.count).toBe(2))
    const reasons = Object.fromEntries((keyErrors.examples ?? []).map(({ key, reason }) => [key, reason]))
    expect(reasons[`${rig.prefix}web/port`]).toBe('is not JSON (line 1); its group is kept as it was')
    expect(reasons[`${rig.prefix}bad name`]).toContain('422 Invalid')
    expect(keys).toBe(4)
    const { 'app.web': web, 'app.db': db } = await shown(rig)
    expect([web?.data, db?.data]).toEqual([{ port: '80', host: '"h"' }, { port: '2' }])
    await rig.writer.txn({ 'web/port': '81', 'bad name/a b': undefined })
    await run.until((status) => expect(status.keyErrors.count).toBe(0))
    expect((await shown(rig))['app.web']?.data).toEqual({ port: '81', host: '"other"' })
  })

  test('a restarted mirror goes on from the index, and reads the prefix when a group changes; guards count keys', async () => {
    await using rig = await makeGrouped({ safety: { maxDeletePercent: 50 } })
    const keys = Array.from({ length: 40 }, (_, index) => `web/${index}`)
    await rig.writer.txn({ ...Object.fromEntries(keys.map((key) => [key, '1'])), 'db/a': '1', 'db/b': '1' })
    const first = await rig.run({ args: ALLOWED })
    await first.settled()
    const before = await shown(rig)
    expect((await first.process.kill()).code).toBe(0)
    const second = await rig.run({ args: ALLOWED })
    expect((await second.settled()).keys).toBe(42)
    expect([await second.metric('etcd_mirror_resync_total'), await written(second)]).toEqual([0, 0])
    await rig.writer.put('db/a', '2')
    await second.settled()
    expect(await second.metric('etcd_mirror_resync_total', { reason: 'start' })).toBe(1)
    expect(await written(second)).toBe(1)
    const { 'app.web': web, 'app.db': db } = await shown(rig)
    expect([web, db?.data]).toEqual([before['app.web'], { a: '2', b: '1' }])
    await second.process.kill()
    await rig.writer.txn(Object.fromEntries(keys.slice(0, 30).map((key) => [key, undefined])))
    const third = await rig.run({ args: ALLOWED })
    await third.failing('DeletesRefused')
    expect((await shown(rig))['app.web']).toEqual(before['app.web'])
  })
})

test('target configMap: what was changed while the mirror was down is put right at its start; equal is not written', async () => {
  await using rig = await kube.rig([configMapTarget({ labels: { team: 'a' } })])
  await rig.writer.txn({ a: '1', b: '2' })
  const first = await rig.run()
  await first.settled()
  const before = await rig.get(CONFIG_MAPS, 'app')
  expect((await first.process.kill()).code).toBe(0)
  await rig.kubectl(['label', 'configmap', 'app', 'team=b', '--overwrite'])
  await rig.kubectl(['patch', 'configmap', 'app', '-p', '{"data":{"a":"edited","b":null}}'])
  const second = await rig.run()
  await second.settled()
  const after = await rig.get(CONFIG_MAPS, 'app')
  expect([after?.data, after?.metadata.labels]).toEqual([before?.data, before?.metadata.labels])
  expect(await second.metric('etcd_mirror_kube_requests_total', { method: 'PATCH', result: 'ok' })).toBe(1)
  expect((await second.process.kill()).code).toBe(0)
  const third = await rig.run()
  await third.settled()
  expect(await third.metric('etcd_mirror_kube_requests_total', { method: 'PATCH' })).toBe(0)
})
