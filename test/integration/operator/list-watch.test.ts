import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { type KubeProxy, startKubeProxy } from '../../support/kube-proxy.ts'
import { conditionsOf, OPERATOR_USER, OperatorRig, type OperatorRun } from '../../support/operator-rig.ts'
import { eventually } from '../../support/wait.ts'

const apiVersion = 'etcdmirror.dev/v1alpha1'
const patiently = { timeoutMs: 90_000, intervalMs: 100 }

let api: KubeApi
let proxy: KubeProxy
let etcd: EtcdServer
let rig: OperatorRig
let operator: OperatorRun
let namespace: string

beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
  api = await startKubeApi({ users: [OPERATOR_USER] })
  proxy = await startKubeProxy(api)
  rig = await OperatorRig.make(api)
  namespace = await rig.namespace()
  for (const prefix of ['a', 'b']) await etcd.etcdctl(['put', `/${prefix}/key`, prefix])
  await rig.apply([
    { apiVersion, kind: 'EtcdConnection', metadata: { name: 'main', namespace }, spec: { endpoints: [etcd.endpoint] } },
    ...['stays', 'changes', 'goes'].map((name) => mirror(name)),
  ])
  // Who has no use for a kind may leave its CRD out.
  await api.kubectl(['delete', 'crd', 'clusteretcdconnections.etcdmirror.dev'])
  operator = await rig.operator(['--leader-election', 'false'], proxy.server)
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await proxy?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
  await etcd?.[Symbol.asyncDispose]()
})

const mirror = (name: string, prefix = '/a/') => ({
  apiVersion,
  kind: 'EtcdMirror',
  metadata: { name, namespace },
  spec: { connectionRef: { name: 'main' }, prefix, target: { configMap: { name } } },
})
const untilHolds = (name: string, value: string) =>
  rig.until(CONFIG_MAPS, namespace, name, (object) => expect(object?.data).toEqual({ key: value }))
const untilReady = (name: string) =>
  rig.until(ETCD_MIRRORS, namespace, name, (object) => expect(conditionsOf(object).Ready).toBe('True/Published'))

test('410 Gone: what came, changed and went while nobody could tell counts', async () => {
  for (const name of ['stays', 'changes', 'goes']) await untilReady(name)
  const before = proxy.gone
  proxy.close()
  await api.kubectl(['-n', namespace, 'delete', 'etcdmirror', 'goes'])
  await api.kubectl(['-n', namespace, 'patch', 'configmap', 'stays', '-p', '{"data":{"key":"edited"}}'])
  await rig.apply([mirror('changes', '/b/'), mirror('comes')])
  // Its etcd loses the history that the watches would go on from.
  await api.kill()
  for (let index = 0; index < 50; index++) await api.etcd.etcdctl(['put', '/other', String(index)])
  const { header } = JSON.parse(await api.etcd.etcdctl(['get', '/other', '-w', 'json']))
  await api.etcd.etcdctl(['compact', String(header.revision)])
  await api.restart()
  proxy.open()
  await untilHolds('comes', 'a')
  await untilHolds('changes', 'b')
  await untilHolds('stays', 'a')
  const series = `etcd_mirror_ready{mirror="${namespace}/goes"}`
  await eventually(async () => expect(await operator.metric(series)).toBeUndefined(), patiently)
  expect(proxy.gone).toBeGreaterThan(before)
})

test('watch expiry: resources and objects are followed from one watch to the next', async () => {
  const ends = () => ['etcdmirrors', 'configmaps', 'namespaces'].map((plural) => proxy.expired(plural))
  const before = ends()
  proxy.watchSeconds = 1
  proxy.cut()
  await eventually(() => {
    for (const [at, count] of ends().entries()) expect(count).toBeGreaterThan((before[at] ?? 0) + 1)
  }, patiently)
  await api.kubectl(['-n', namespace, 'delete', 'configmap', 'stays'])
  await rig.apply([mirror('later', '/b/')])
  await untilHolds('stays', 'a')
  await untilHolds('later', 'b')
})

test('a watch that is denied is a condition of the mirrors that it looks at, until it is permitted again', async () => {
  const untilDegraded = (degraded: string) =>
    rig.until(ETCD_MIRRORS, namespace, 'stays', (object) => expect(conditionsOf(object).Degraded).toBe(degraded))
  await untilDegraded('False/AsExpected')
  await rig.grant({ without: ['configmaps'] })
  proxy.cut()
  await untilDegraded('True/NotWritable')
  await rig.grant()
  await untilDegraded('False/AsExpected')
  await untilReady('stays')
})

test('while its status cannot be written, a resync that an annotation asks for is made once', async () => {
  const key = `${namespace}/stays`
  const resyncs = () => operator.metric(`etcd_mirror_resync_total{mirror="${key}",reason="request"}`)
  await untilReady('stays')
  await rig.grant({ without: ['etcdmirrors/status'] })
  const review = {
    apiVersion: 'authorization.k8s.io/v1',
    kind: 'SubjectAccessReview',
    spec: {
      user: OPERATOR_USER,
      resourceAttributes: {
        namespace,
        verb: 'update',
        group: 'etcdmirror.dev',
        resource: 'etcdmirrors',
        subresource: 'status',
      },
    },
  }
  const mayWrite = () =>
    api.kubectl(['create', '-f', '-', '-o', 'jsonpath={.status.allowed}'], { input: JSON.stringify(review) })
  await eventually(async () => expect(await mayWrite()).toBe('false'), patiently)
  const told = operator.process.logs.length
  await api.kubectl(['-n', namespace, 'annotate', 'etcdmirror', 'stays', 'etcdmirror.dev/resync=now'])
  await eventually(() => {
    const failed = operator.process.logs.slice(told).filter((line) => line.key === key && line.attempt !== undefined)
    expect(failed.length).toBeGreaterThan(3)
  }, patiently)
  await rig.grant()
  await rig.until(ETCD_MIRRORS, namespace, 'stays', (object) =>
    expect(object?.status).toMatchObject({ lastHandledResync: 'now' }),
  )
  await eventually(async () => expect(await resyncs()).toBe(1), patiently)
})
