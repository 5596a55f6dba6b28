import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { ETCD_KEYS } from '../../../src/targets/objects/etcd-key-projection.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { conditionsOf, OPERATOR_USER, OperatorRig } from '../../support/operator-rig.ts'

const apiVersion = 'etcdmirror.dev/v1alpha1'

let etcd: EtcdServer
let api: KubeApi
let rig: OperatorRig

beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
  api = await startKubeApi({ users: [OPERATOR_USER] })
  rig = await OperatorRig.make(api)
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
  await etcd?.[Symbol.asyncDispose]()
})

const mirrorOf = (namespace: string, prefix: string, target: object) => ({
  apiVersion,
  kind: 'EtcdMirror',
  metadata: { name: 'app', namespace },
  spec: { connectionRef: { name: 'main' }, prefix, target },
})

/** A namespace with one mirror, which an operator has published. */
async function published(prefix: string, target: object): Promise<string> {
  const namespace = await rig.namespace()
  await rig.apply([
    { apiVersion, kind: 'EtcdConnection', metadata: { name: 'main', namespace }, spec: { endpoints: [etcd.endpoint] } },
    mirrorOf(namespace, prefix, target),
  ])
  await rig.operator(['--leader-election', 'false', '--namespaces', namespace, '--allow-kinds', 'v1/ConfigMap'])
  await rig.until(ETCD_MIRRORS, namespace, 'app', (object) => expect(conditionsOf(object).Ready).toBe('True/Published'))
  return namespace
}

test('an EtcdMirror with etcdKeys: follows, belongs to it, and is put right', async () => {
  await etcd.etcdctl(['put', '/a/key', 'value'])
  const namespace = await published('/a/', { etcdKeys: {} })
  const mirror = await rig.get(ETCD_MIRRORS, namespace, 'app')
  const key = await rig.get(ETCD_KEYS, namespace, 'app.key')
  expect(key?.spec).toMatchObject({ key: '/a/key', value: 'value' })
  expect(key?.metadata.ownerReferences).toMatchObject([{ kind: 'EtcdMirror', uid: mirror?.metadata.uid }])
  await etcd.etcdctl(['put', '/a/key', 'next'])
  const isNext = (object: KubeObject | undefined) => expect(object?.spec).toMatchObject({ value: 'next' })
  await rig.until(ETCD_KEYS, namespace, 'app.key', isNext)
  await api.kubectl(['-n', namespace, 'delete', 'etcdkey', 'app.key'])
  await rig.until(ETCD_KEYS, namespace, 'app.key', isNext)
  await etcd.etcdctl(['put', '/a/other', 'x'])
  await etcd.etcdctl(['del', '/a/key'])
  await rig.until(ETCD_KEYS, namespace, 'app.key', (object) => expect(object).toBeUndefined())
})

test('an EtcdMirror with objects for each group: follows, is put right, belongs to it while it is meant to', async () => {
  const template = `
    apiVersion: v1
    kind: ConfigMap
    metadata: { name: {{ name }} }
    data: { {% for each in keys %} {{ each.path }}: {{ each.value | toJson }}, {% endfor %} }`
  const target = { objects: { per: 'Group', template } }
  await etcd.etcdctl(['put', '/b/web/port', '80'])
  await etcd.etcdctl(['put', '/b/web/host', 'h'])
  await etcd.etcdctl(['put', '/b/db/port', '5432'])
  const namespace = await published('/b/', target)
  const until = (name: string, data: object | undefined) =>
    rig.until(CONFIG_MAPS, namespace, name, (object) => expect(object?.data).toEqual(data))
  const web = await until('app.web', { host: 'h', port: '80' })
  const db = await until('app.db', { port: '5432' })
  const mirror = await rig.get(ETCD_MIRRORS, namespace, 'app')
  expect(web?.metadata.ownerReferences).toMatchObject([{ kind: 'EtcdMirror', uid: mirror?.metadata.uid }])
  await etcd.etcdctl(['put', '/b/web/port', '81'])
  await until('app.web', { host: 'h', port: '81' })
  expect(await until('app.db', { port: '5432' })).toEqual(db)
  // What the policy says of what stands there counts as well.
  await rig.apply([mirrorOf(namespace, '/b/', { objects: { ...target.objects, deletionPolicy: 'Retain' } })])
  await rig.until(CONFIG_MAPS, namespace, 'app.web', (object) =>
    expect(object?.metadata.ownerReferences).toBeUndefined(),
  )
  await api.kubectl(['-n', namespace, 'delete', 'configmap', 'app.db'])
  await until('app.db', { port: '5432' })
  await etcd.etcdctl(['del', '--prefix', '/b/web/'])
  await until('app.web', undefined)
})
