import { cp } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { OPERATOR_RIGHTS, type OperatorRightName } from '../../src/operator/operator-rights.ts'
import type { RbacRule } from '../../src/targets/objects/rbac-rules.ts'
import { type Cluster, startCluster } from '../support/cluster/cluster.ts'
import { containerUsage, usageRow } from '../support/cluster/container-usage.ts'
import { CHART } from '../support/helm.ts'
import { eventually } from '../support/wait.ts'
import { EtcdOfPods, SERVER_NAME } from './etcd-of-pods.ts'

const OPERATOR = 'etcd-mirror'
const ACCOUNT = `system:serviceaccount:${OPERATOR}:etcd-mirror-operator`
const TENANT = 'shop'
const PREFIX = '/config/shop/'
/** What the values below enable, in every namespace that is served. */
const SERVED: readonly OperatorRightName[] = ['mirrors', 'configMaps', 'connectionSecrets', 'secretTargets', 'etcdKeys']
/** Pods start, leaders change, and the machine may be busy. */
const SLOWLY = { timeoutMs: 240_000, intervalMs: 250 }

let cluster: Cluster
let etcd: EtcdOfPods

beforeAll(async () => {
  cluster = await startCluster()
  etcd = await EtcdOfPods.start(cluster.machine, 12379)
  await cp(CHART, join(cluster.machine.data, 'chart'), { recursive: true })
  await apply([strictNamespace(OPERATOR), strictNamespace(TENANT)])
  const values = [
    '--set',
    'targets.secret=true,credentials.enabled=true,networkPolicy.enabled=true,networkPolicy.etcdPorts={12379}',
  ]
  await helm(['install', 'etcd-mirror', '/data/chart', ...values, '--wait', '--timeout', '5m'])
})
afterAll(async () => await cluster?.[Symbol.asyncDispose]())

test('installed by its chart, two operators keep a ConfigMap, a Secret and EtcdKeys equal to etcd, also when the one that leads is killed', async () => {
  await etcd.put(`${PREFIX}db/host`, 'db-1')
  const metadata = (name: string) => ({ name, namespace: TENANT })
  const apiVersion = 'etcdmirror.dev/v1alpha1'
  const tls = { secretRef: { name: 'etcd-client' }, serverName: SERVER_NAME }
  const mirror = (name: string, target: object) => ({
    ...{ apiVersion, kind: 'EtcdMirror', metadata: metadata(name) },
    spec: { connectionRef: { name: 'main' }, prefix: PREFIX, target },
  })
  await apply([
    { apiVersion: 'v1', kind: 'Secret', metadata: metadata('etcd-client'), stringData: etcd.credentials },
    {
      ...{ apiVersion, kind: 'EtcdConnection', metadata: metadata('main') },
      spec: { endpoints: [etcd.endpoint], tls },
    },
    mirror('config-map', { configMap: { name: 'copy' } }),
    mirror('secret', { secret: { name: 'copy' } }),
    mirror('keys', { etcdKeys: {} }),
  ])
  await copied({ host: 'db-1' })
  await etcd.put(`${PREFIX}db/port`, '5432')
  await etcd.put(`${PREFIX}db/host`, 'db-2')
  await copied({ host: 'db-2', port: '5432' })
  await etcd.etcdctl(['del', `${PREFIX}db/port`])
  await copied({ host: 'db-2' })

  const killed = await leader()
  await recordUsage()
  await kill(podOf(killed))
  await etcd.put(`${PREFIX}db/host`, 'db-3')
  await copied({ host: 'db-3' })
  expect(await leader()).not.toBe(killed)
  const ready = 'jsonpath={.items[*].status.conditions[?(@.type=="Ready")].status}'
  await eventually(
    async () => expect(await kubectl(['-n', TENANT, 'get', 'etcdmirrors', '-o', ready])).toBe('True True True'),
    SLOWLY,
  )
})

test('the operator may do what the code says that it needs, and nothing else', async () => {
  expect(await allowed(TENANT)).toEqual(rights(...SERVED, 'clusterConnections'))
  const own = ['leadership', 'clusterConnectionSecrets'] as const
  expect(await allowed(OPERATOR)).toEqual(rights(...SERVED, 'clusterConnections', ...own))
  expect(await allowed('default')).toEqual(rights(...SERVED, 'clusterConnections', 'clusterConnectionEvents'))
})

test('who may edit a namespace may make mirrors in it', async () => {
  await kubectl(['-n', TENANT, 'create', 'rolebinding', 'jane', '--clusterrole=edit', '--user=jane'])
  const canI = (namespace: string) =>
    cluster.machine.run(['kubectl', 'auth', 'can-i', 'create', 'etcdmirrors', '-n', namespace, '--as=jane'])
  await eventually(async () => expect((await canI(TENANT)).stdout).toBe('yes\n'), SLOWLY)
  expect((await canI(OPERATOR)).stdout).toBe('no\n')
})

test('helm test passes', async () => {
  expect(await helm(['test', 'etcd-mirror', '--timeout', '5m'])).toContain('Phase:          Succeeded')
})

test('upgraded to serve one namespace, it works by a Role there and has no right for the cluster', async () => {
  const values = ['--set', `namespaces={${TENANT}},clusterConnections.enabled=false`]
  await helm(['upgrade', 'etcd-mirror', '/data/chart', '--reuse-values', ...values, '--wait', '--timeout', '5m'])
  expect(await allowed(TENANT)).toEqual(rights(...SERVED))
  expect(await allowed(OPERATOR)).toEqual(rights('leadership'))
  expect(await allowed('default')).toEqual([])
  await etcd.put(`${PREFIX}db/host`, 'db-4')
  await copied({ host: 'db-4' })
})

test('uninstalled, it leaves the copies; then namespaces with mirrors can be deleted', async () => {
  await helm(['uninstall', 'etcd-mirror', '--wait', '--timeout', '5m'])
  await copied({ host: 'db-4' })
  const roles = 'clusterroles,clusterrolebindings,roles,rolebindings'
  expect(await kubectl(['get', roles, '-A', '-l', 'app.kubernetes.io/instance=etcd-mirror', '-o', 'name'])).toBe('')
  await kubectl(['delete', 'namespace', TENANT, OPERATOR, '--timeout=60s'])
  expect(await kubectl(['get', 'crd', '-o', 'name'])).toContain('etcdmirrors.etcdmirror.dev')
})

/** Resolves once all three targets hold these keys of db, and nothing else. */
async function copied(db: Readonly<Record<string, string>>): Promise<void> {
  const data = (map: (value: string) => string) =>
    Object.fromEntries(Object.entries(db).map(([name, value]) => [`db.${name}`, map(value)]))
  await eventually(async () => {
    expect(await dataOf('configmap')).toEqual(data((value) => value))
    expect(await dataOf('secret')).toEqual(data((value) => Buffer.from(value).toString('base64')))
    expect(await etcdKeys()).toEqual(Object.values(db).sort())
  }, SLOWLY)
}

async function etcdKeys(): Promise<readonly string[]> {
  const values = 'jsonpath={.items[*].spec.value}'
  return (await kubectl(['-n', TENANT, 'get', 'etcdkeys', '-o', values])).split(' ').sort()
}

async function dataOf(kind: 'configmap' | 'secret'): Promise<unknown> {
  return JSON.parse(await kubectl(['-n', TENANT, 'get', kind, 'copy', '-o', 'json'])).data
}

/** Who holds the Lease: name of the pod, and what tells its processes apart. */
async function leader(): Promise<string> {
  return await eventually(async () => {
    const path = 'jsonpath={.spec.holderIdentity}'
    const holder = await kubectl(['-n', OPERATOR, 'get', 'lease', 'etcd-mirror-operator', '-o', path])
    expect(holder).not.toBe('')
    return holder
  }, SLOWLY)
}

/** As the kernel would: nothing is let go. */
async function kill(pod: string): Promise<void> {
  await cluster.machine.exec(['ctr', '-n', 'k8s.io', 'tasks', 'kill', '-s', 'SIGKILL', await containerOf(pod)])
}

async function containerOf(pod: string): Promise<string> {
  const path = 'jsonpath={.status.containerStatuses[0].containerID}'
  return (await kubectl(['-n', OPERATOR, 'get', 'pod', pod, '-o', path])).replace('containerd://', '')
}

/** What the operators have used until now, for people to look at. */
async function recordUsage(): Promise<void> {
  const pods = await kubectl(['-n', OPERATOR, 'get', 'pods', '-o', 'jsonpath={.items[*].metadata.name}'])
  const usages = pods.split(' ').map(async (pod) => {
    const usage = await containerUsage(cluster.machine, await containerOf(pod))
    return [pod, usageRow(usage)] as const
  })
  console.table(Object.fromEntries(await Promise.all(usages)))
}

function podOf(identity: string): string {
  return identity.slice(0, identity.lastIndexOf('_'))
}

/** What the API server lets the operator do in a namespace, beside what it lets every account. */
async function allowed(namespace: string): Promise<readonly string[]> {
  const review = { apiVersion: 'authorization.k8s.io/v1', kind: 'SelfSubjectRulesReview', spec: { namespace } }
  const rulesOf = async (user: string) => {
    const groups = ['system:serviceaccounts', 'system:authenticated'].map((group) => `--as-group=${group}`)
    const args = ['create', `--as=${user}`, ...groups, '--validate=false', '-f', '-', '-o', 'json']
    return JSON.parse(await kubectl(args, JSON.stringify(review))).status.resourceRules as readonly RbacRule[]
  }
  const everybody = new Set(permissions(await rulesOf(`system:serviceaccount:${TENANT}:default`)))
  return permissions(await rulesOf(ACCOUNT)).filter((permission) => !everybody.has(permission))
}

function rights(...names: readonly OperatorRightName[]): readonly string[] {
  return permissions(OPERATOR_RIGHTS.filter(({ name }) => names.includes(name)).flatMap(({ rules }) => rules))
}

/** One line for each verb of each resource that the rules allow. */
function permissions(rules: readonly RbacRule[]): readonly string[] {
  const lines = rules.flatMap(({ apiGroups, resources, resourceNames = ['*'], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        resourceNames.flatMap((name) => verbs.map((verb) => `${verb} ${group}/${resource} ${name}`)),
      ),
    ),
  )
  return [...new Set(lines)].sort()
}

async function helm(args: readonly string[]): Promise<string> {
  return await cluster.machine.exec(['helm', '--namespace', OPERATOR, ...args])
}

async function kubectl(args: readonly string[], input?: string): Promise<string> {
  return await cluster.machine.exec(['kubectl', ...args], input === undefined ? {} : { input })
}

async function apply(items: readonly object[]): Promise<void> {
  await kubectl(['apply', '-f', '-'], JSON.stringify({ apiVersion: 'v1', kind: 'List', items }))
}

function strictNamespace(name: string): object {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted' }
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
}
