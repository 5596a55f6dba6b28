import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeClient } from '../../../src/kube/kube-client.ts'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { createMetrics } from '../../../src/observe/metrics-registry.ts'
import { Operator } from '../../../src/operator/operator.ts'
import {
  CLUSTER_ETCD_CONNECTIONS,
  ETCD_CONNECTIONS,
  ETCD_MIRRORS,
  EVENTS,
} from '../../../src/operator/operator-resources.ts'
import { OPERATOR_RIGHTS, type OperatorRight } from '../../../src/operator/operator-rights.ts'
import type { RbacRule } from '../../../src/targets/objects/rbac-rules.ts'
import { systemClock } from '../../../src/util/clock.ts'
import type { LogFields, Logger } from '../../../src/util/logger.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { conditionsOf, OperatorRig } from '../../support/operator-rig.ts'
import { makeTls, type TlsMaterial } from '../../support/tls.ts'
import { eventually } from '../../support/wait.ts'

type Scope = OperatorRight['scope']

/** One verb of one resource that an operator lacks; undefined = it has everything. */
interface Lack {
  readonly scope: Scope
  readonly resource: string
  readonly verb: string
}

const apiVersion = 'etcdmirror.dev/v1alpha1'
const rbacVersion = 'rbac.authorization.k8s.io/v1'
const apiGroup = 'rbac.authorization.k8s.io'
const SCOPES: readonly Scope[] = ['Served', 'Cluster', 'Own', 'Default']
const PATIENT = { timeoutMs: 110_000, intervalMs: 300 }
const never = new AbortController().signal

const LACKS: readonly Lack[] = SCOPES.flatMap((scope) => {
  const pairs = rulesOf(scope).flatMap(({ resources, verbs }) =>
    resources.flatMap((resource) => verbs.map((verb) => `${resource} ${verb}`)),
  )
  return [...new Set(pairs)].map((pair) => {
    const [resource = '', verb = ''] = pair.split(' ')
    return { scope, resource, verb }
  })
})

function rulesOf(scope: Scope): readonly RbacRule[] {
  return OPERATOR_RIGHTS.filter((right) => right.scope === scope).flatMap(({ rules }) => rules)
}

/** The rules of a scope without what is lacking. */
function rulesWithout(scope: Scope, lack: Lack | undefined): readonly object[] {
  const isLacking = (resource: string, verb: string) =>
    lack?.scope === scope && lack.resource === resource && lack.verb === verb
  const rules = rulesOf(scope).flatMap(({ resources, verbs, ...rule }) =>
    resources.map((resource) => ({
      ...rule,
      resources: [resource],
      verbs: verbs.filter((verb) => !isLacking(resource, verb)),
    })),
  )
  return rules.filter(({ verbs }) => verbs.length > 0)
}

let tls: TlsMaterial
let etcd: EtcdServer
let api: KubeApi
let rig: OperatorRig
const running: RunningOperator[] = []

beforeAll(async () => {
  tls = await makeTls()
  etcd = await startEtcd({ version: '3.6', tls: { ...tls.server, ca: tls.ca } })
  api = await startKubeApi({ users: ['all', ...LACKS.map((_, index) => `lack-${index}`)] })
  rig = await OperatorRig.make(api)
  for (const key of ['kept', 'gone', 'taken']) await etcd.etcdctl(['put', `/t/${key}`, 'value'])
})
afterAll(async () => {
  await Promise.all(running.map((each) => each.stop()))
  await rig?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
  await etcd?.[Symbol.asyncDispose]()
  await tls?.[Symbol.asyncDispose]()
})

/** An operator in this process, under a user of its own, for a namespace of its own. */
class RunningOperator {
  readonly name: string
  readonly lack: Lack | undefined
  /** What it logged and what stands in an error that it logged. */
  readonly lines: string[] = []
  readonly #stop = new AbortController()
  readonly #client: KubeClient
  readonly #ended: Promise<void>

  static async start(name: string, lack: Lack | undefined): Promise<RunningOperator> {
    return new RunningOperator(name, lack, await api.client({ user: name, namespace: `${name}-own` }))
  }

  private constructor(name: string, lack: Lack | undefined, client: KubeClient) {
    this.name = name
    this.lack = lack
    this.#client = client
    const note = (fields: LogFields, message: string) => {
      const { err } = fields
      this.lines.push(`${message} ${err instanceof Error ? err.message : ''}`)
    }
    const logger: Logger = { debug: () => undefined, info: note, warn: note, error: note }
    const operator = new Operator({
      client,
      namespaces: [name],
      operatorNamespace: `${name}-own`,
      allowKinds: [{ group: '', version: 'v1', kind: 'ConfigMap' }],
      concurrency: 4,
      identity: name,
      clock: systemClock,
      logger,
      metrics: createMetrics(),
    })
    this.#ended = operator.run(this.#stop.signal)
  }

  /** Everything that somebody who looks can read. */
  async told(): Promise<string> {
    const texts = [...this.lines]
    for (const resource of [ETCD_MIRRORS, ETCD_CONNECTIONS, EVENTS]) {
      for await (const { items } of rig.admin.list({ resource, namespace: this.name }, never)) {
        texts.push(...items.map(({ status, message }) => `${JSON.stringify(status)} ${String(message)}`))
      }
    }
    for await (const { items } of rig.admin.list({ resource: CLUSTER_ETCD_CONNECTIONS, namespace: undefined }, never)) {
      texts.push(...items.map(({ status }) => JSON.stringify(status)))
    }
    return texts.join('\n').replaceAll('\\"', '"')
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.#ended
    await this.#client.close()
  }
}

/** Namespaces, roles, Secrets and resources: of what is lacking only what could need it. */
async function objectsOf(name: string, lack: Lack | undefined): Promise<readonly object[]> {
  const own = `${name}-own`
  const needs = (what: string) => lack === undefined || lack.resource === what
  const hasCluster = lack === undefined || lack.scope !== 'Served'
  const subjects = [{ apiGroup, kind: 'User', name }]
  const role = (scope: Scope, kind: string, metadata: object) => [
    { apiVersion: rbacVersion, kind, metadata, rules: rulesWithout(scope, lack) },
    { apiVersion: rbacVersion, kind: `${kind}Binding`, metadata, roleRef: { apiGroup, kind, name }, subjects },
  ]
  const secret = { 'ca.crt': await readFile(tls.ca, 'utf8') }
  const tlsSecret = (namespace: string) => ({
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: 'tls', namespace },
    stringData: secret,
  })
  const mirror = (mirrorName: string, target: object, connectionRef: object = { name: 'main' }) => ({
    apiVersion,
    kind: 'EtcdMirror',
    metadata: { name: mirrorName, namespace: name },
    spec: { connectionRef, prefix: '/t/', target },
  })
  const template = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ name }} }'
  return [
    ...[name, own].map((each) => ({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: each } })),
    ...role('Served', 'Role', { name, namespace: name }),
    ...role('Own', 'Role', { name, namespace: own }),
    ...role('Default', 'Role', { name, namespace: 'default' }),
    ...(hasCluster ? role('Cluster', 'ClusterRole', { name }) : []),
    tlsSecret(name),
    tlsSecret(own),
    connection({ kind: 'EtcdConnection', metadata: { name: 'main', namespace: name } }),
    mirror('cm', { configMap: { name: 'cm' } }),
    ...(needs('secrets') ? [mirror('secret', { secret: { name: 'secret' } })] : []),
    ...(needs('etcdkeys') ? [mirror('keys', { etcdKeys: {} })] : []),
    ...(lack?.resource === 'etcdkeys' && lack.verb === 'get' ? [foreignKey(name)] : []),
    ...(needs('configmaps') ? [mirror('objects', { objects: { template } })] : []),
    ...(hasCluster
      ? [mirror('shared', { configMap: { name: 'shared' } }, { kind: 'ClusterEtcdConnection', name: 'shared' })]
      : []),
  ]
}

function connection(identity: object, spec: object = {}): object {
  const endpoints = [etcd.endpoint.replace(/^https?:\/\//, '')]
  return { apiVersion, ...identity, spec: { endpoints, tls: { secretRef: { name: 'tls' } }, ...spec } }
}

/** It stands where a mirror wants to make one: then it looks whose that is. */
function foreignKey(namespace: string): object {
  const spec = { key: '/x', value: 'x', createRevision: 1, modRevision: 1, version: 1 }
  return { apiVersion, kind: 'EtcdKey', metadata: { name: 'keys.taken', namespace }, spec }
}

async function untilMirrors(namespace: string, ready: readonly string[]): Promise<void> {
  for (const name of ready) {
    await rig.until(ETCD_MIRRORS, namespace, name, (object) =>
      expect(conditionsOf(object).Ready).toBe('True/Published'),
    )
  }
}

test('the documented rights are enough, and each of them is needed: who lacks one is told which', async () => {
  const shared = { kind: 'ClusterEtcdConnection', metadata: { name: 'shared' } }
  const allow = [{ namespaceSelector: {}, prefixes: ['/t/'] }]
  const wanted = [undefined, ...LACKS].map((lack, index) => ({ name: lack ? `lack-${index - 1}` : 'all', lack }))
  const objects = (await Promise.all(wanted.map(({ name, lack }) => objectsOf(name, lack)))).flat()
  const isNamespace = (object: object) => 'kind' in object && object.kind === 'Namespace'
  await rig.apply(objects.filter(isNamespace))
  await rig.apply([connection(shared, { allow }), ...objects.filter((object) => !isNamespace(object))])
  running.push(...(await Promise.all(wanted.map(({ name, lack }) => RunningOperator.start(name, lack)))))

  await untilMirrors('all', ['cm', 'secret', 'keys', 'objects', 'shared'])
  // Who may not delete has to have something first.
  for (const { name, lack } of wanted) {
    if (lack?.verb === 'delete') await untilMirrors(name, [lack.resource === 'etcdkeys' ? 'keys' : 'objects'])
  }
  await etcd.etcdctl(['del', '/t/gone'])
  await rig.until(CONFIG_MAPS, 'all', 'objects.gone', (object) => expect(object).toBeUndefined())

  const unnoticed = await Promise.all(running.map(async (each) => ((await isTold(each)) ? [] : [each.lack])))
  expect(unnoticed.flat()).toEqual([])
  expect(running[0]?.lines.filter((line) => /cannot (\w+ resource|write an event)/.test(line))).toEqual([])
}, 900_000)

async function isTold(operator: RunningOperator): Promise<boolean> {
  const { lack } = operator
  if (lack === undefined) return true
  const denied = `cannot ${lack.verb} resource "${lack.resource}"`
  const told = async () => expect((await operator.told()).includes(denied)).toBe(true)
  return await eventually(told, PATIENT).then(
    () => true,
    () => false,
  )
}
