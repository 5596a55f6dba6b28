import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIG_MAPS, SECRETS } from '../../../src/kube/kube-resource.ts'
import { manyObjectsRules } from '../../../src/targets/objects/rbac-rules.ts'
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

const ALLOWED = ['--allow-kinds', 'v1/ConfigMap,v1/Secret']
const make = (template: string, values = 'Text') =>
  KubeRig.make({
    api,
    etcd,
    target: { objects: { template, values } },
    rules: manyObjectsRules('app', [CONFIG_MAPS, SECRETS]),
  })

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
  })

  test('kinds that would give power over the cluster cannot be allowed', async () => {
    await using rig = await make('x')
    for (const kind of ['v1/Pod', 'rbac.authorization.k8s.io/v1/Role', 'apps/v1/Deployment', 'ConfigMap']) {
      const run = await rig.run({ args: ['--allow-kinds', kind] })
      expect((await run.process.exit).code, kind).toBe(2)
    }
  })
})
