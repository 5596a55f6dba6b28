import { cp, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parseKind } from '../../../src/util/allowed-kind.ts'
import { CHART, type ChartValues, Helm, valueFlags } from '../../support/helm.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { CHOSEN, EVERYTHING, NOTHING, SCOPED } from './value-sets.ts'

const ROOT = join(import.meta.dirname, '../../..')
const CRD = 'etcdmirrors.etcdmirror.dev'
const NAMESPACE = 'etcd-mirror'

describe.each(['1.34', '1.37'] as const)('on Kubernetes %s', (minor) => {
  let helm: Helm
  let api: KubeApi

  beforeAll(async () => {
    helm = await Helm.make()
    api = await startKubeApi({ minor })
    const items = [...[NAMESPACE, 'one', 'two'].map(strictNamespace), monitor('PodMonitor'), monitor('ServiceMonitor')]
    await api.kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
    await api.kubectl(['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all'])
  })
  afterAll(async () => {
    await api?.[Symbol.asyncDispose]()
    await helm?.[Symbol.asyncDispose]()
  })

  test.each<[string, ChartValues]>([
    ['by default', {}],
    ['with everything', EVERYTHING],
    ['in two namespaces', SCOPED],
    ['with other choices', CHOSEN],
    ['with nothing', NOTHING],
  ])('the chart is accepted without a warning, also by PodSecurity restricted: %s', async (_name, values) => {
    const input = await helm.template(values)
    const strictly = ['--dry-run=server', '--warnings-as-errors', '--validate=strict']
    expect(await api.kubectl(['apply', ...strictly, '-f', '-'], { input })).toContain('deployment.apps/')
  })

  test('of the kinds of the core the chart takes those that the operator writes, by their resources', async () => {
    const core = JSON.parse(await api.kubectl(['get', '--raw', '/api/v1'])) as { resources: CoreResource[] }
    const resources = core.resources.filter(({ name }) => !name.includes('/'))
    const taken: string[] = []
    for (const { kind, name } of resources) {
      const refusal = await helm.refusal({ 'targets.objects': [{ kind: `v1/${kind}`, resource: name }] })
      if (refusal === 'accepted') taken.push(name)
      else expect(refusal).toContain('targets.objects')
    }
    const writable = ({ kind, namespaced }: CoreResource) => namespaced && typeof parseKind(`v1/${kind}`) === 'object'
    expect(taken).toEqual(resources.filter(writable).map(({ name }) => name))
  })

  test('deploy/operator.yaml is accepted as it stands', async () => {
    const file = join(ROOT, 'deploy/operator.yaml')
    await api.kubectl(['apply', '--warnings-as-errors', '--validate=strict', '-f', file])
    await api.kubectl(['delete', '--wait=false', '-f', file])
  })
})

test('an upgrade renews the custom resource definitions, and uninstalling leaves them; another release does without', async () => {
  await using helm = await Helm.make()
  await using api = await startKubeApi()
  await using older = await makeTempDir('chart')
  await cp(CHART, older.path, { recursive: true })
  const definition = join(older.path, 'templates/crds/etcdmirrors.yaml')
  await writeFile(definition, (await readFile(definition, 'utf8')).replace(/^ +- em$/m, '      - former'))

  const kubeconfig = await api.kubeconfig({ namespace: NAMESPACE })
  const run = (command: readonly string[], values: ChartValues = {}) =>
    helm.run([...command, '--namespace', NAMESPACE, ...valueFlags(values)], kubeconfig)
  const shortName = () => api.kubectl(['get', 'crd', CRD, '-o', 'jsonpath={.spec.names.shortNames[0]}'])

  const notes = await run(['install', 'etcd-mirror', older.path, '--create-namespace'])
  expect(notes).toContain('kubectl -n etcd-mirror rollout status deployment/etcd-mirror-operator')
  expect(notes).toContain('kind: EtcdMirror')
  expect(await shortName()).toBe('former')
  await run(['upgrade', 'etcd-mirror', CHART])
  expect(await shortName()).toBe('em')

  expect(await run(['uninstall', 'etcd-mirror'])).toContain('kept due to the resource policy')
  await run(['install', 'other', CHART], { 'crds.install': false })
  await run(['uninstall', 'other'])
  expect(await shortName()).toBe('em')
  await run(['install', 'etcd-mirror', CHART])
})

interface CoreResource {
  readonly name: string
  readonly kind: string
  readonly namespaced: boolean
}

function strictNamespace(name: string) {
  const labels = { 'pod-security.kubernetes.io/enforce': 'restricted', 'pod-security.kubernetes.io/warn': 'restricted' }
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }
}

/** A stand-in for a definition of the Prometheus operator: the fields that the chart sets, as its documentation has them. */
function monitor(kind: 'PodMonitor' | 'ServiceMonitor') {
  const plural = `${kind.toLowerCase()}s`
  const text = { type: 'string' }
  const object = (properties: object) => ({ type: 'object', properties })
  const interval = {
    type: 'string',
    pattern: '^(0|(([0-9]+)y)?(([0-9]+)w)?(([0-9]+)d)?(([0-9]+)h)?(([0-9]+)m)?(([0-9]+)s)?(([0-9]+)ms)?)$',
  }
  const endpoint = object({ port: text, path: text, interval })
  const endpoints = { type: 'array', items: endpoint }
  const selector = object({ matchLabels: { type: 'object', additionalProperties: text } })
  const spec = object({ selector, [kind === 'PodMonitor' ? 'podMetricsEndpoints' : 'endpoints']: endpoints })
  const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: object({ spec }) } }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.monitoring.coreos.com` },
    spec: { group: 'monitoring.coreos.com', scope: 'Namespaced', names: { kind, plural }, versions: [version] },
  }
}
