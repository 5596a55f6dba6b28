import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { parseAllDocuments } from 'yaml'
import type { KubeClient } from '../../src/kube/kube-client.ts'
import type { KubeObject } from '../../src/kube/kube-object.ts'
import type { KubeResource } from '../../src/kube/kube-resource.ts'
import type { RbacRule } from '../../src/targets/objects/rbac-rules.ts'
import { freePort } from './free-port.ts'
import type { KubeApi } from './kube-api.ts'
import { type MirrorProcess, startMirror } from './mirror-process.ts'
import { eventually } from './wait.ts'

const ROOT = join(import.meta.dirname, '../..')
const RBAC = join(ROOT, 'docs/examples/operator/rbac.yaml')
export const OPERATOR_USER = 'operator'
export const OPERATOR_NAMESPACE = 'etcd-mirror'

const RBAC_VERSION = 'rbac.authorization.k8s.io/v1'
const CLUSTER_ROLES = ['etcd-mirror-operator', 'etcd-mirror-operator-cluster']

interface Role {
  readonly apiVersion: string
  readonly kind: 'Role' | 'ClusterRole'
  readonly metadata: { readonly name: string; readonly namespace?: string }
  rules: readonly RbacRule[]
}

interface GrantOptions {
  readonly without?: readonly string[]
  readonly namespaces?: readonly string[]
  readonly cluster?: boolean
}

const never = new AbortController().signal
let count = 0

/** Conditions as `Ready=True/Published …`, in the order in which they stand. */
export function conditionsOf(object: KubeObject | undefined): Readonly<Record<string, string>> {
  const { conditions = [] } = (object?.status ?? {}) as {
    conditions?: { type: string; status: string; reason: string; message: string }[]
  }
  return Object.fromEntries(conditions.map(({ type, status, reason }) => [type, `${status}/${reason}`]))
}

/** An API server with the custom resources, and operators that run with the rights of docs/examples/operator/rbac.yaml. */
export class OperatorRig implements AsyncDisposable {
  readonly api: KubeApi
  readonly admin: KubeClient
  readonly #processes: MirrorProcess[] = []

  /** The API server must know the user `operator`. */
  static async make(api: KubeApi): Promise<OperatorRig> {
    await api.define()
    await api.kubectl(['create', 'namespace', OPERATOR_NAMESPACE])
    const rig = new OperatorRig(api, await api.client())
    await rig.grant()
    return rig
  }

  private constructor(api: KubeApi, admin: KubeClient) {
    this.api = api
    this.admin = admin
  }

  /**
   * The rights of the documentation from now on, but those for `without`. `namespaces`: in these alone, by RoleBindings.
   * `cluster`: whether also for what belongs to the cluster.
   */
  async grant({ without = [], namespaces, cluster = true }: GrantOptions = {}): Promise<void> {
    const roles: Role[] = parseAllDocuments(await readFile(RBAC, 'utf8')).map((document) => document.toJS())
    for (const role of roles) role.rules = role.rules.filter(({ resources }) => !without.includes(resources[0] ?? ''))
    const bindings = roles.flatMap((role) => {
      const isOfCluster = role.metadata.name === 'etcd-mirror-operator-cluster'
      if (isOfCluster) return cluster ? [bindingOf(role)] : []
      if (role.kind === 'Role' || namespaces === undefined) return [bindingOf(role)]
      return namespaces.map((namespace) => bindingOf(role, namespace))
    })
    await this.api.kubectl(['delete', 'clusterrolebindings', '--ignore-not-found', ...CLUSTER_ROLES])
    await this.apply([...roles, ...bindings])
  }

  /** More rights, in one namespace. */
  async grantIn(namespace: string, name: string, rules: readonly RbacRule[]): Promise<void> {
    const role: Role = { apiVersion: RBAC_VERSION, kind: 'Role', metadata: { name, namespace }, rules }
    await this.apply([role, bindingOf(role)])
  }

  /** More rights, in the whole cluster. */
  async grantInCluster(name: string, rules: readonly RbacRule[]): Promise<void> {
    const role: Role = { apiVersion: RBAC_VERSION, kind: 'ClusterRole', metadata: { name }, rules }
    await this.apply([role, bindingOf(role)])
  }

  /** Creates or changes objects. */
  async apply(items: readonly object[]): Promise<void> {
    await this.api.apply(items)
  }

  /** A namespace of its own, with labels. */
  async namespace(labels: Readonly<Record<string, string>> = {}): Promise<string> {
    count += 1
    const name = `tenant-${process.pid}-${count}`
    await this.apply([{ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } }])
    return name
  }

  /** Starts an operator; it ends at the latest with the rig. */
  async operator(args: readonly string[] = [], server?: string): Promise<OperatorRun> {
    const kubeconfig = await this.api.kubeconfig({
      user: OPERATOR_USER,
      namespace: OPERATOR_NAMESPACE,
      ...(server !== undefined && { server }),
    })
    const http = `127.0.0.1:${await freePort()}`
    const started = startMirror(['operator', '--http-bind', http, ...args], { env: { KUBECONFIG: kubeconfig } })
    this.#processes.push(started)
    return new OperatorRun(started, http)
  }

  async get(resource: KubeResource, namespace: string | undefined, name: string): Promise<KubeObject | undefined> {
    return await this.admin.get({ resource, namespace, name }, never)
  }

  /** Resolves with the object once `check` no longer throws. */
  async until(
    resource: KubeResource,
    namespace: string | undefined,
    name: string,
    check: (object: KubeObject | undefined) => void,
  ): Promise<KubeObject | undefined> {
    return await eventually(
      async () => {
        const object = await this.get(resource, namespace, name)
        check(object)
        return object
      },
      { timeoutMs: 150_000, intervalMs: 100 },
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const started of this.#processes) {
      started.signal('SIGCONT')
      await started[Symbol.asyncDispose]()
    }
    await this.admin.close()
  }
}

/** `namespace`: where a ClusterRole counts; default: in the whole cluster. */
function bindingOf({ kind, metadata }: Role, namespace = metadata.namespace) {
  const apiGroup = 'rbac.authorization.k8s.io'
  return {
    apiVersion: RBAC_VERSION,
    kind: namespace === undefined ? 'ClusterRoleBinding' : 'RoleBinding',
    metadata: { name: metadata.name, ...(namespace !== undefined && { namespace }) },
    roleRef: { apiGroup, kind, name: metadata.name },
    subjects: [{ apiGroup, kind: 'User', name: OPERATOR_USER }],
  }
}

/** One running operator. */
export class OperatorRun {
  readonly process: MirrorProcess
  readonly #http: string

  constructor(started: MirrorProcess, http: string) {
    this.process = started
    this.#http = http
  }

  /** The value of a series, as it stands on the page; undefined = there is none. */
  async metric(series: string): Promise<number | undefined> {
    const body = await (await fetch(`http://${this.#http}/metrics`)).text()
    const line = body.split('\n').find((each) => each.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(line.lastIndexOf(' ') + 1))
  }

  /** The answer of a probe, such as `readyz`, with every check. */
  async probe(name: string): Promise<{ readonly status: number; readonly body: string }> {
    const answer = await fetch(`http://${this.#http}/${name}?verbose`)
    return { status: answer.status, body: await answer.text() }
  }

  /** Whether it leads now; it does not while it does not answer. */
  async leads(): Promise<boolean> {
    const series = 'leader_election_master_status{name="etcd-mirror-operator"}'
    return (await this.metric(series).catch(() => 0)) === 1
  }
}
