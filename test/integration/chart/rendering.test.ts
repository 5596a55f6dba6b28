import { execFile } from 'node:child_process'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import { OPERATOR_RIGHTS, type OperatorRightName } from '../../../src/operator/operator-rights.ts'
import { parseHttpBind } from '../../../src/server/options.ts'
import type { RbacRule } from '../../../src/targets/objects/rbac-rules.ts'
import { CHART, type ChartValues, Helm, valueFlags } from '../../support/helm.ts'
import { CHOSEN, EVERYTHING, NOTHING, SCOPED } from './value-sets.ts'

let helm: Helm
beforeAll(async () => {
  helm = await Helm.make()
})
afterAll(async () => await helm?.[Symbol.asyncDispose]())

test.each([
  ['by default', {}],
  ['with everything', EVERYTHING],
  ['in two namespaces', SCOPED],
  ['with other choices', CHOSEN],
  ['with nothing', NOTHING],
])('helm lint finds nothing: %s', async (_name, values) => {
  expect(await helm.run(['lint', '--strict', CHART, ...valueFlags(values)])).toContain('0 chart(s) failed')
})

test('deploy/operator.yaml is what the chart renders to', async () => {
  const script = join(import.meta.dirname, '../../../scripts/operator-manifest.mjs')
  await promisify(execFile)(process.execPath, [script, '--check', '--render'])
})

test.each<[string, ChartValues, string]>([
  ['a misspelt value', { replica: 3 }, 'replica'],
  ['a misspelt value further down', { credentials: { enable: true } }, 'enable'],
  ['no replicas', { replicas: 0 }, 'replicas'],
  ['replicas as text', { replicas: 'two' }, 'replicas'],
  ['a namespace that can be none', { namespaces: ['Shop'] }, 'namespaces'],
  ['a namespace twice', { namespaces: ['shop', 'shop'] }, 'namespaces'],
  ['a kind without its version', { 'targets.objects': [{ kind: 'Thing', resource: 'things' }] }, 'kind'],
  ['a kind without its resource', { 'targets.objects': [{ kind: 'example.com/v1/Thing' }] }, 'resource'],
  ['a digest that is none', { 'image.digest': 'latest' }, 'digest'],
  ['a tag in the repository', { 'image.repository': 'etcd-mirror:1' }, 'repository'],
  ['an unknown level', { logLevel: 'verbose' }, 'logLevel'],
  ['a time without a unit', { shutdownGrace: '10' }, 'shutdownGrace'],
  ['a port that is none', { 'networkPolicy.etcdPorts': [0] }, 'etcdPorts'],
  ['an interval that Prometheus does not read', { 'metrics.interval': '1.5m' }, 'interval'],
  ['no account at all', { 'serviceAccount.create': false }, 'serviceAccount'],
])('values.schema.json refuses %s', async (_name, values, named) => {
  const refusal = await helm.refusal(values)
  expect(refusal).toContain('values don')
  expect(refusal).toContain(named)
})

test.each<[string, ChartValues, string]>([
  [
    'a kind that the operator refuses',
    { 'targets.objects': [{ kind: 'apps/v1/Deployment', resource: 'deployments' }] },
    'targets.objects: apps/v1/Deployment may never be written by a mirror',
  ],
  [
    'Secrets under the name of another kind',
    { 'targets.objects': [{ kind: 'v1/ConfigMap', resource: 'secrets' }] },
    'targets.objects: the resource of v1/ConfigMap is configmaps, not secrets',
  ],
  [
    'a label that selects the pods',
    { podLabels: { 'app.kubernetes.io/name': 'mine' } },
    'podLabels: app.kubernetes.io/name is set by the chart',
  ],
  [
    'a label that the monitors have',
    { 'metrics.labels': { 'app.kubernetes.io/instance': 'mine' } },
    'metrics.labels: app.kubernetes.io/instance is set by the chart',
  ],
])('the chart refuses %s', async (_name, values, sentence) => {
  expect(await helm.refusal(values)).toContain(sentence)
})

test.each(['1st', 'a.b'])('a release of the name %s needs another name for its Service', async (release) => {
  const render = (...flags: string[]) => helm.run(['template', release, CHART, '--kube-version', '1.34.0', ...flags])
  await expect(render()).rejects.toThrow('set fullnameOverride')
  expect(await render('--set', 'fullnameOverride=first')).toContain('name: first\n')
})

test('a pod has the time that the shutdown grace takes', async () => {
  const podWith = (terminationGracePeriodSeconds: number) => ({ template: { spec: { terminationGracePeriodSeconds } } })
  expect(specOf(await helm.objects(), 'Deployment')).toMatchObject(podWith(30))
  expect(specOf(await helm.objects(CHOSEN), 'Deployment')).toMatchObject(podWith(111))
})

test('the network policy lets out to where it is told, by these ports', async () => {
  const { apiServerTo, etcdTo } = CHOSEN.networkPolicy as Record<string, unknown>
  expect(specOf(await helm.objects(CHOSEN), 'NetworkPolicy')).toMatchObject({
    egress: [
      {
        ports: [
          { port: 53, protocol: 'UDP' },
          { port: 53, protocol: 'TCP' },
        ],
      },
      { ports: [{ port: 6443 }], to: apiServerTo },
      { ports: [{ port: 2379 }, { port: 4001 }], to: etcdTo },
    ],
  })
})

test('helm test finds the Service by the variables of its name, also with an address of IPv6', async () => {
  const address = '[$(COPIES_OF_ETCD_SERVICE_HOST)]:$(COPIES_OF_ETCD_SERVICE_PORT)'
  const args = ['status', '--http-bind', address]
  expect(specOf(await helm.objects(CHOSEN), 'Pod')).toMatchObject({ containers: [{ args }] })
  for (const host of ['10.0.0.1', 'fd00::1']) {
    const written = address.replace(/\$\(\w+_HOST\)/, host).replace(/\$\(\w+_PORT\)/, '9379')
    expect(parseHttpBind(written)).toEqual({ host, port: 9379 })
  }
})

test.each<
  [string, ChartValues, { served: OperatorRightName[]; cluster: OperatorRightName[]; own: OperatorRightName[] }]
>([
  [
    'by default, without any Secret',
    {},
    { served: ['mirrors', 'configMaps', 'etcdKeys'], cluster: ['clusterConnections'], own: ['leadership'] },
  ],
  [
    'with everything',
    { 'targets.secret': true, 'credentials.enabled': true },
    {
      served: ['mirrors', 'configMaps', 'secretTargets', 'etcdKeys', 'connectionSecrets'],
      cluster: ['clusterConnections'],
      own: ['leadership', 'clusterConnectionSecrets'],
    },
  ],
  ['with nothing', NOTHING, { served: ['mirrors'], cluster: [], own: ['leadership'] }],
])(
  'the operator gets the rights for what is enabled, and no others: %s',
  async (_name, values, { served, cluster, own }) => {
    const objects = await helm.objects(values)
    expect(rulesOf(objects, 'ClusterRole', 'etcd-mirror-operator')).toEqual(rights(served))
    expect(rulesOf(objects, 'ClusterRole', 'etcd-mirror-operator-cluster')).toEqual(rights(cluster))
    expect(rulesOf(objects, 'Role', 'etcd-mirror-operator-own')).toEqual(rights(own))
    expect(boundRoles(objects)).toEqual([
      'ClusterRole etcd-mirror-operator',
      ...(cluster.length > 0 ? ['ClusterRole etcd-mirror-operator-cluster', 'Role etcd-mirror-operator-events'] : []),
      'Role etcd-mirror-operator-own',
    ])
  },
)

test('with namespaces the operator gets Roles there, and of the cluster only what belongs to no namespace', async () => {
  const objects = await helm.objects({ ...SCOPED, 'clusterConnections.enabled': true })
  expect(boundRoles(objects)).toEqual([
    'ClusterRole etcd-mirror-operator-cluster',
    'Role etcd-mirror-operator',
    'Role etcd-mirror-operator',
    'Role etcd-mirror-operator-events',
    'Role etcd-mirror-operator-own',
  ])
  const roles = objects.filter(({ kind, metadata }) => kind === 'Role' && metadata.name === 'etcd-mirror-operator')
  expect(roles.map(({ metadata }) => metadata.namespace)).toEqual(['one', 'two'])
  expect(rulesOf(objects, 'ClusterRole', 'etcd-mirror-operator-cluster')).toContainEqual({
    apiGroups: [''],
    resources: ['namespaces'],
    resourceNames: ['one', 'two'],
    verbs: ['list', 'watch'],
  })
})

test('Secrets of connections may be limited to names, and kinds of objects have rights each', async () => {
  const rules = rulesOf(await helm.objects(EVERYTHING), 'ClusterRole', 'etcd-mirror-operator')
  expect(rules).toContainEqual({
    ...OPERATOR_RIGHTS.find(({ name }) => name === 'connectionSecrets')?.rules[0],
    resourceNames: ['etcd-client'],
  })
  const verbs = ['get', 'list', 'watch', 'create', 'patch', 'delete']
  expect(rules).toContainEqual({ apiGroups: ['example.com'], resources: ['things'], verbs })
  expect(rules).toContainEqual({ apiGroups: [''], resources: ['services'], verbs })
})

test('one replica has no PodDisruptionBudget; names stay within their limits', async () => {
  const kinds = (await helm.objects(SCOPED)).map(({ kind }) => kind)
  expect(kinds).not.toContain('PodDisruptionBudget')
  expect((await helm.objects()).map(({ kind }) => kind)).toContain('PodDisruptionBudget')
  const text = await helm.run(['template', 'a'.repeat(53), CHART, '--kube-version', '1.34.0'])
  const names = [...text.matchAll(/^ {2}name: (\S+)$/gm)].map(([, name = '']) => name.length)
  expect(Math.max(...names)).toBeLessThanOrEqual(63)
})

/** Of the first object of that kind. */
function specOf(objects: readonly KubeObject[], kind: string): unknown {
  return objects.find((object) => object.kind === kind)?.spec
}

function rulesOf(objects: readonly KubeObject[], kind: string, name: string): readonly RbacRule[] {
  const role = objects.find((object) => object.kind === kind && object.metadata.name === name)
  return (role?.rules ?? []) as readonly RbacRule[]
}

function rights(names: readonly OperatorRightName[]): readonly RbacRule[] {
  return names.flatMap((name) => OPERATOR_RIGHTS.find((right) => right.name === name)?.rules ?? [])
}

function boundRoles(objects: readonly KubeObject[]): readonly string[] {
  const bindings = objects.filter(({ kind }) => kind === 'RoleBinding' || kind === 'ClusterRoleBinding')
  const refs = bindings.map(({ roleRef }) => roleRef as { readonly kind: string; readonly name: string })
  return refs.map(({ kind, name }) => `${kind} ${name}`).sort()
}
