import { afterAll, beforeAll, expect, test } from 'vitest'
import { parse } from 'yaml'
import { CONFIG_MAPS, SECRETS } from '../../../src/kube/kube-resource.ts'
import { CLUSTER_ETCD_CONNECTIONS, ETCD_CONNECTIONS, ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { ETCD_KEYS } from '../../../src/targets/objects/etcd-key-projection.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { conditionsOf, OPERATOR_USER, OperatorRig, type OperatorRun } from '../../support/operator-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames, Writer } from '../../support/writer.ts'

const apiVersion = 'etcdmirror.dev/v1alpha1'

let api: KubeApi
let etcd: EtcdServer
let rig: OperatorRig
let operator: OperatorRun

beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
  api = await startKubeApi({ users: [OPERATOR_USER] })
  rig = await OperatorRig.make(api)
  operator = await rig.operator(['--leader-election', 'false', '--allow-kinds', 'v1/ConfigMap'])
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
  await etcd?.[Symbol.asyncDispose]()
})

const connection = (namespace: string, spec: object = {}) => ({
  apiVersion,
  kind: 'EtcdConnection',
  metadata: { name: 'main', namespace },
  spec: { endpoints: [etcd.endpoint], ...spec },
})
const mirror = (namespace: string, spec: object = {}, name = 'app') => ({
  apiVersion,
  kind: 'EtcdMirror',
  metadata: { name, namespace },
  spec: {
    connectionRef: { name: 'main' },
    prefix: `/${namespace}/`,
    target: { configMap: { name: 'app' } },
    ...spec,
  },
})

const put = (namespace: string, key: string, value: string) => etcd.etcdctl(['put', `/${namespace}/${key}`, value])
const untilReady = (namespace: string, expected: string, name = 'app') =>
  rig.until(ETCD_MIRRORS, namespace, name, (object) => expect(conditionsOf(object).Ready).toBe(expected))

test('two resources make a ConfigMap that follows etcd, and their status says so', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'db/host', 'one')
  await rig.apply([mirror(namespace), connection(namespace)])
  const found = await untilReady(namespace, 'True/Published')
  expect(conditionsOf(found)).toEqual({
    Ready: 'True/Published',
    SourceConnected: 'True/Connected',
    Degraded: 'False/AsExpected',
    Stalled: 'False/AsExpected',
  })
  expect(found?.status).toMatchObject({ observedGeneration: 1, target: 'configMap/app', keys: 1, objects: 1 })
  const object = await rig.get(CONFIG_MAPS, namespace, 'app')
  expect(object?.data).toEqual({ 'db.host': 'one' })
  expect(object?.metadata.ownerReferences).toMatchObject([
    { kind: 'EtcdMirror', name: 'app', uid: found?.metadata.uid },
  ])
  await put(namespace, 'db/host', 'two')
  await rig.until(CONFIG_MAPS, namespace, 'app', (now) => expect(now?.data).toEqual({ 'db.host': 'two' }))
  await rig.until(ETCD_CONNECTIONS, namespace, 'main', (now) => {
    expect(conditionsOf(now)).toMatchObject({ Ready: 'True/Connected', Stalled: 'False/AsExpected' })
    expect(now?.status).toMatchObject({
      version: '3.6.16',
      clusterId: expect.stringMatching(/^[0-9a-f]+$/),
      members: 1,
    })
  })
  const table = await api.kubectl(['get', 'etcdmirrors', '-n', namespace])
  expect(table.split('\n')[1]?.split(/\s+/).slice(0, 4)).toEqual(['app', 'True', 'Published', 'configMap/app'])
})

test('a Secret target', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'password', 'x')
  await rig.apply([connection(namespace), mirror(namespace, { target: { secret: { name: 'login' } } })])
  await untilReady(namespace, 'True/Published')
  expect((await rig.get(SECRETS, namespace, 'login'))?.data).toEqual({ password: 'eA==' })
})

test('an EtcdKey for each key', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'db/host', 'one')
  await put(namespace, 'gone', 'x')
  const safety = { maxDeletePercent: 100 }
  await rig.apply([connection(namespace), mirror(namespace, { target: { etcdKeys: {} }, safety })])
  const found = await untilReady(namespace, 'True/Published')
  const key = await rig.get(ETCD_KEYS, namespace, 'app.db.host')
  expect(key?.spec).toMatchObject({ key: `/${namespace}/db/host`, value: 'one', version: 1 })
  expect(key?.metadata.ownerReferences).toMatchObject([{ kind: 'EtcdMirror', uid: found?.metadata.uid }])
  expect(found?.status).toMatchObject({ keys: 2, objects: 2 })
  await etcd.etcdctl(['del', `/${namespace}/gone`])
  await rig.until(ETCD_KEYS, namespace, 'app.gone', (object) => expect(object).toBeUndefined())
  // Which is written at once, and the rest with it.
  await api.kubectl(['-n', namespace, 'annotate', 'etcdmirror', 'app', 'etcdmirror.dev/resync=now'])
  await rig.until(ETCD_MIRRORS, namespace, 'app', (now) =>
    expect(now?.status).toMatchObject({ lastHandledResync: 'now', keys: 1, objects: 1 }),
  )
  await api.kubectl(['-n', namespace, 'delete', 'etcdkey', 'app.db.host'])
  await rig.until(ETCD_KEYS, namespace, 'app.db.host', (object) => expect(object?.spec).toMatchObject({ value: 'one' }))
})

test('objects of an allowed kind by a template, in the own namespace alone', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'one', 'x')
  const manifest = (metadata: string) =>
    `apiVersion: v1\nkind: ConfigMap\nmetadata: ${metadata}\ndata: { key: "{{ value }}" }\n`
  const objects = (metadata: string) => ({ target: { objects: { template: manifest(metadata) } } })
  await rig.apply([
    connection(namespace),
    mirror(namespace, objects('{ name: made }')),
    mirror(namespace, objects('{ name: stolen, namespace: default }'), 'thief'),
  ])
  const made = await untilReady(namespace, 'True/Published')
  expect(made?.status).toMatchObject({ keys: 1, objects: 1 })
  expect((await rig.get(CONFIG_MAPS, namespace, 'made'))?.data).toEqual({ key: 'x' })
  await rig.until(ETCD_MIRRORS, namespace, 'thief', (object) =>
    expect(conditionsOf(object).Degraded).toBe('True/KeyErrors'),
  )
  expect(await rig.get(CONFIG_MAPS, 'default', 'stolen')).toBeUndefined()
})

test('a template in a ConfigMap of the own namespace counts, is watched, and what is wrong with it is told', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'one', 'x')
  const templates = (data: object, place = namespace) => ({
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: { name: `templates-${namespace}`, namespace: place },
    data,
  })
  const giving = (text: string) => ({
    thing: `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: made }\ndata: { key: "${text}" }\n`,
  })
  const untilMade = (text: string) =>
    rig.until(CONFIG_MAPS, namespace, 'made', (now) => expect(now?.data).toEqual({ key: text }))
  const configMapKeyRef = { name: `templates-${namespace}`, key: 'thing' }
  const from = (reference: object) => ({
    target: { objects: { templateFrom: { configMapKeyRef: { ...configMapKeyRef, ...reference } } } },
  })
  await rig.apply([
    templates(giving('of another namespace'), 'default'),
    connection(namespace),
    mirror(namespace, from({})),
  ])
  await expect(rig.apply([mirror(namespace, from({ name: 'a,b' }), 'of-no-name')])).rejects.toThrow('a DNS subdomain')
  await untilReady(namespace, 'False/TemplateNotFound')
  await rig.apply([templates({ thing: 'one\n{% if %}' })])
  const broken = await untilReady(namespace, 'False/TemplateInvalid')
  expect(JSON.stringify(broken?.status)).toContain('line 2: ')
  await rig.apply([templates({ other: 'x' }), mirror(namespace, from({ key: 'constructor' }), 'of-no-key')])
  for (const name of ['app', 'of-no-key']) {
    await rig.until(ETCD_MIRRORS, namespace, name, (now) =>
      expect(JSON.stringify(now?.status)).toContain('has no data key'),
    )
  }
  await rig.apply([templates(giving('{{ value }}'))])
  await untilMade('x')
  await rig.apply([templates(giving('changed {{ value }}'))])
  await untilMade('changed x')
  await untilReady(namespace, 'True/Published')
  await api.kubectl(['-n', namespace, 'delete', 'configmap', configMapKeyRef.name])
  await untilReady(namespace, 'False/TemplateNotFound')
  await untilMade('changed x')
})

test('a drifted object is repaired, through the watch that all mirrors share', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'a', '1')
  await rig.apply([connection(namespace), mirror(namespace)])
  await untilReady(namespace, 'True/Published')
  await api.kubectl(['-n', namespace, 'delete', 'configmap', 'app'])
  await rig.until(CONFIG_MAPS, namespace, 'app', (now) => expect(now?.data).toEqual({ a: '1' }))
})

test('an object that somebody gives to another mirror is missing to its own, until it is given back', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'a', '1')
  await rig.apply([connection(namespace), mirror(namespace)])
  await untilReady(namespace, 'True/Published')
  const giveTo = (owner: string) =>
    api.kubectl(['-n', namespace, 'label', 'configmap', 'app', `etcdmirror.dev/mirror=${owner}`, '--overwrite'])
  const untilStalled = (expected: string) =>
    rig.until(ETCD_MIRRORS, namespace, 'app', (object) => expect(conditionsOf(object).Stalled).toBe(expected))
  await giveTo('other')
  await untilStalled('True/Foreign')
  await giveTo('app')
  await untilStalled('False/AsExpected')
})

test('the mirrors of a connection share two connections to etcd: one for watches, one for the rest', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'a', '1')
  await using proxy = await startTcpProxy(Number(new URL(etcd.endpoint).port))
  const names = Array.from({ length: 12 }, (_, index) => `mirror-${index}`)
  await rig.apply([
    connection(namespace, { endpoints: [proxy.endpoint] }),
    ...names.map((name) => mirror(namespace, { target: { configMap: { name } } }, name)),
  ])
  for (const name of names) await untilReady(namespace, 'True/Published', name)
  await eventually(() => expect(proxy.connectionCount).toBe(2))
})

test('a changed spec counts, and an annotation forces a resync', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'a', '1')
  await etcd.etcdctl(['put', `/${namespace}-other/b`, '2'])
  await rig.apply([connection(namespace), mirror(namespace, { safety: { refuseEmpty: false, maxDeletePercent: 100 } })])
  await untilReady(namespace, 'True/Published')
  await rig.apply([mirror(namespace, { prefix: `/${namespace}-other/` })])
  await rig.until(CONFIG_MAPS, namespace, 'app', (now) => expect(now?.data).toEqual({ b: '2' }))
  await api.kubectl(['-n', namespace, 'annotate', 'etcdmirror', 'app', 'etcdmirror.dev/resync=now'])
  await rig.until(ETCD_MIRRORS, namespace, 'app', (now) => {
    expect(now?.status).toMatchObject({ observedGeneration: 2, lastHandledResync: 'now' })
  })
  const resyncs = `etcd_mirror_resync_total{mirror="${namespace}/app",reason="request"}`
  await eventually(async () => expect(await operator.metric(resyncs)).toBeGreaterThan(0))
})

test('a connection that comes later, goes and comes again', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'a', '1')
  await rig.apply([mirror(namespace)])
  await untilReady(namespace, 'False/ConnectionNotFound')
  await rig.apply([connection(namespace)])
  await untilReady(namespace, 'True/Published')
  await api.kubectl(['-n', namespace, 'delete', 'etcdconnection', 'main'])
  const found = await untilReady(namespace, 'False/ConnectionNotFound')
  expect(conditionsOf(found).Stalled).toBe('True/ConnectionNotFound')
  expect((await rig.get(CONFIG_MAPS, namespace, 'app'))?.data).toEqual({ a: '1' })
  await rig.apply([connection(namespace)])
  await untilReady(namespace, 'True/Published')
})

test('nonsense that a server lets pass becomes a condition with its path and disturbs nobody', async () => {
  const [bad, good] = [await rig.namespace(), await rig.namespace()]
  await put(good, 'a', '1')
  await rig.apply([
    connection(bad),
    mirror(bad, { verifyEvery: '1ms', target: { configMap: { name: 'app', labels: { team: 'no label' } } } }),
    connection(good),
    mirror(good),
  ])
  const found = await untilReady(bad, 'False/InvalidSpec')
  const told = JSON.stringify(found?.status)
  expect(told).toContain('spec.verifyEvery: must be 0 or at least ')
  expect(told).toContain('spec.target.configMap.labels.team: ')
  await rig.apply([mirror(bad, { target: { objects: { template: '{% if %}' } } }, 'broken')])
  const broken = await untilReady(bad, 'False/InvalidSpec', 'broken')
  expect(JSON.stringify(broken?.status)).toContain('spec.target.objects.template: line 1: ')
  await untilReady(good, 'True/Published')
})

test('of a ClusterEtcdConnection only what it allows, by namespace and prefix, and at once', async () => {
  const [web, other] = [await rig.namespace({ team: 'web' }), await rig.namespace({ team: 'db' })]
  await put(web, 'a', 'web')
  const connectionRef = { kind: 'ClusterEtcdConnection', name: `shared-${web}` }
  const shared = (team: string, spec: object = {}) => ({
    apiVersion,
    kind: 'ClusterEtcdConnection',
    metadata: { name: connectionRef.name },
    spec: {
      endpoints: [etcd.endpoint],
      ...spec,
      allow: [{ namespaceSelector: { matchLabels: { team } }, prefixes: ['/{namespace}/'] }],
    },
  })
  await rig.apply([
    shared('web'),
    mirror(web, { connectionRef }),
    mirror(web, { connectionRef, prefix: `/${other}/`, target: { configMap: { name: 'stolen' } } }, 'thief'),
    mirror(other, { connectionRef }),
  ])
  await untilReady(web, 'True/Published')
  await untilReady(web, 'False/NotAllowed', 'thief')
  await untilReady(other, 'False/NotAllowed')
  expect(await rig.get(CONFIG_MAPS, web, 'stolen')).toBeUndefined()
  expect(await rig.get(CONFIG_MAPS, other, 'app')).toBeUndefined()
  // Whatever else is wrong with it.
  await rig.apply([shared('db', { keepaliveTime: '1s' })])
  await untilReady(web, 'False/NotAllowed')
  await rig.apply([shared('db')])
  await untilReady(other, 'True/Published')
  await api.kubectl(['label', 'namespace', other, '--overwrite', 'team=gone'])
  await untilReady(other, 'False/NotAllowed')
  await rig.until(CLUSTER_ETCD_CONNECTIONS, undefined, connectionRef.name, (now) =>
    expect(conditionsOf(now).Ready).toBe('True/Connected'),
  )
})

test('what no mirror made is refused, and two mirrors do not fight over one object', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'a', '1')
  await api.kubectl(['-n', namespace, 'create', 'configmap', 'app', '--from-literal=mine=yes'])
  await rig.apply([connection(namespace), mirror(namespace)])
  const found = await untilReady(namespace, 'False/Foreign')
  expect(conditionsOf(found).Stalled).toBe('True/Foreign')
  expect((await rig.get(CONFIG_MAPS, namespace, 'app'))?.data).toEqual({ mine: 'yes' })
  const target = { configMap: { name: 'shared' } }
  await rig.apply([mirror(namespace, { target }, 'first')])
  await untilReady(namespace, 'True/Published', 'first')
  await rig.apply([mirror(namespace, { target }, 'second')])
  await untilReady(namespace, 'False/Foreign', 'second')
  await untilReady(namespace, 'True/Published', 'first')
})

test('a deleted mirror is forgotten; its object is left to its owner reference', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'a', '1')
  await rig.apply([connection(namespace), mirror(namespace)])
  await untilReady(namespace, 'True/Published')
  await api.kubectl(['-n', namespace, 'delete', 'etcdmirror', 'app'])
  const series = `etcd_mirror_ready{mirror="${namespace}/app"}`
  await eventually(async () => expect(await operator.metric(series)).toBeUndefined())
  await put(namespace, 'a', '2')
  expect((await rig.get(CONFIG_MAPS, namespace, 'app'))?.metadata.ownerReferences).toHaveLength(1)
})

test('an object that was orphaned, or given to somebody else, belongs to its mirror again, and to others as well', async () => {
  const namespace = await rig.namespace()
  await put(namespace, 'a', '1')
  await rig.apply([connection(namespace), mirror(namespace)])
  const before = await untilReady(namespace, 'True/Published')
  const setOwners = (owners: readonly object[]) =>
    api.kubectl([
      ...['-n', namespace, 'patch', 'configmap', 'app', '--type=json', '-p'],
      JSON.stringify([{ op: 'replace', path: '/metadata/ownerReferences', value: owners }]),
    ])
  const untilOwned = (uids: readonly (string | undefined)[]) =>
    rig.until(CONFIG_MAPS, namespace, 'app', (object) =>
      expect(new Set(object?.metadata.ownerReferences?.map(({ uid }) => uid))).toEqual(new Set(uids)),
    )
  // What `kubectl delete --cascade=orphan` has the garbage collector do.
  await api.kubectl(['-n', namespace, 'delete', 'etcdmirror', 'app'])
  await eventually(async () =>
    expect(await operator.metric(`etcd_mirror_ready{mirror="${namespace}/app"}`)).toBe(undefined),
  )
  await setOwners([])
  await rig.apply([mirror(namespace)])
  const after = await untilReady(namespace, 'True/Published')
  expect(after?.metadata.uid).not.toBe(before?.metadata.uid)
  await untilOwned([after?.metadata.uid])
  await setOwners([{ apiVersion: 'v1', kind: 'ConfigMap', name: 'other', uid: 'of-another' }])
  await untilOwned([after?.metadata.uid, 'of-another'])
})

test('a connection that asks for it has etcd compacted once a period, by the revision of one period ago', async () => {
  await using own = await startEtcd({ version: '3.6' })
  const namespace = await rig.namespace()
  const spec = { endpoints: [own.endpoint], compaction: { period: '1s' } }
  await rig.apply([connection(namespace, spec), mirror(namespace)])
  using writer = await Writer.open(own.endpoint, `/${namespace}/`)
  await writer.putMany(manyNames(1500))
  await eventually(
    async () =>
      await expect(own.etcdctl(['get', 'x', '--rev=2'])).rejects.toThrow('required revision has been compacted'),
    { timeoutMs: 60_000 },
  )
  const compactions = () => operator.metric('etcd_mirror_compactions_total{result="success"}')
  await eventually(async () => expect(await compactions()).toBeGreaterThan(0))
})

test('a mirror of files is rendered for sidecars, with only what was set', async () => {
  const namespace = await rig.namespace()
  const target = { files: { layout: 'InPlace' } }
  await rig.apply([connection(namespace), mirror(namespace, { target })])
  const found = await untilReady(namespace, 'True/Rendered')
  expect(found?.status).toMatchObject({ target: 'configMap/etcd-mirror-app' })
  const rendered = await rig.get(CONFIG_MAPS, namespace, 'etcd-mirror-app')
  expect(rendered?.metadata.ownerReferences).toMatchObject([{ kind: 'EtcdMirror', uid: found?.metadata.uid }])
  const { 'mirror.yaml': mirrorYaml = '', 'etcd.conf': etcdConf = '' } = (rendered?.data ?? {}) as Record<
    string,
    string
  >
  expect(parse(mirrorYaml)).toEqual({
    mirrors: [{ name: 'app', prefix: `/${namespace}/`, target: { files: { root: '/mirror/app', layout: 'InPlace' } } }],
  })
  expect(parse(etcdConf)).toEqual({ endpoints: [etcd.endpoint] })
  await rig.apply([mirror(namespace, { target: { files: { layout: 'Snapshot' } } })])
  await rig.until(CONFIG_MAPS, namespace, 'etcd-mirror-app', (now) => {
    expect(JSON.stringify(now?.data)).toContain('layout: Snapshot')
  })
  await api.kubectl(['-n', namespace, 'create', 'configmap', 'etcd-mirror-other'])
  await rig.apply([mirror(namespace, { target }, 'other')])
  await untilReady(namespace, 'False/Foreign', 'other')
})
