import type { EtcdMirrorStatus } from '../config/resource-status.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeObject, OwnerReference } from '../kube/kube-object.ts'
import { apiVersionOf } from '../kube/kube-resource.ts'
import { kubeTime } from '../kube/kube-time.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import { SinkError } from '../mirror/sink-error.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { isAllowed } from './allow.ts'
import { connectionKey } from './connection-kind.ts'
import type { ConnectionState, Connections } from './connections.ts'
import { currentFindings } from './current-findings.ts'
import type { MirrorFacts } from './mirror-findings.ts'
import type { MirrorRunner, WantedMirror } from './mirror-runner.ts'
import { type ConnectionRef, mirrorRequest } from './mirror-spec.ts'
import type { MirrorTemplates } from './mirror-templates.ts'
import { ETCD_MIRRORS } from './operator-resources.ts'
import { type Refusal, refused } from './refusal.ts'
import type { ResourceCache } from './resource-cache.ts'
import type { SharedConnection } from './shared-connection.ts'
import { sidecarConfigName, writeSidecarConfig } from './sidecar-config.ts'
import type { StatusWriter, WantedStatus } from './status-writer.ts'

export interface MirrorReconcilerOptions {
  readonly client: KubeClient
  /** Whether any kind may be written by the target `objects`. */
  readonly allowsObjects: boolean
  readonly mirrors: ResourceCache
  readonly templates: MirrorTemplates
  readonly namespaces: ResourceCache
  readonly connectionResources: Readonly<Record<ConnectionRef['kind'], ResourceCache>>
  readonly connections: Connections
  readonly runner: MirrorRunner
  readonly statuses: StatusWriter<EtcdMirrorStatus>
}

const RESYNC = 'etcdmirror.dev/resync'
/** How often what was rendered for sidecars is looked at. */
const RENDERED_MS = 300_000

interface UsableConnection {
  readonly shared: SharedConnection
  readonly resource: KubeObject
}

/** What is to become of an EtcdMirror. */
type Wanted =
  | { readonly kind: 'mirror'; readonly mirror: WantedMirror }
  | { readonly kind: 'files'; readonly ref: ConnectionRef; readonly connection: UsableConnection }
  | Refusal

/** Has each EtcdMirror run as it is written, and says in its status what became of it. */
export class MirrorReconciler {
  readonly #options: MirrorReconcilerOptions

  constructor(options: MirrorReconcilerOptions) {
    this.#options = options
  }

  async reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { mirrors, runner, statuses, templates } = this.#options
    const resource = mirrors.get(key)
    if (resource === undefined || resource.metadata.deletionTimestamp !== undefined) {
      await runner.stop(key)
      statuses.forget(key)
      templates.forget(key)
      return undefined
    }
    const wanted = this.#wantedOf(key, resource)
    // Before anything that may fail: what ran so far may be what is not granted any more.
    if (wanted?.kind !== 'mirror') await runner.stop(key)
    if (wanted === undefined) return undefined
    const facts = await this.#bringAbout(key, resource, wanted, signal)
    if (facts === undefined) return undefined
    const againMs = await this.#report(key, resource, facts, signal)
    return facts.kind === 'rendered' ? Math.min(againMs ?? RENDERED_MS, RENDERED_MS) : againMs
  }

  /** Whether something is to be written now in the status of a mirror that runs. Cheap. */
  isDue(key: string): boolean {
    const { mirrors, runner, statuses } = this.#options
    const resource = mirrors.get(key)
    const status = runner.status(key)
    if (resource === undefined || status === undefined) return false
    return statuses.isDue(wantedStatus(resource, { kind: 'running', status }))
  }

  /** undefined = its connection or its template was not looked at yet: that will call again. */
  #wantedOf(key: string, resource: KubeObject): Wanted | undefined {
    const { allowsObjects, templates } = this.#options
    const { namespace = '' } = resource.metadata
    const request = mirrorRequest(resource)
    if (request.kind !== 'template') templates.forget(key)
    if (request.kind === 'refused') return request
    const { connection: ref, prefix } = request
    const connection = this.#connectionOf(ref, resource, prefix)
    if (connection === undefined || 'kind' in connection) return connection
    if (request.kind === 'files') return { kind: 'files', ref, connection }
    const config = request.kind === 'template' ? templates.configOf(key, namespace, request) : request.config
    if (config === undefined || 'kind' in config) return config
    if ('objects' in config.target && !allowsObjects) {
      return refused('KindNotAllowed', 'spec.target.objects: the operator allows no kind (--allow-kinds)')
    }
    const mirror = { config, namespace, owner: ownerOf(resource), connection: connection.shared }
    return { kind: 'mirror', mirror }
  }

  async #bringAbout(
    key: string,
    resource: KubeObject,
    wanted: Wanted,
    signal: AbortSignal,
  ): Promise<MirrorFacts | undefined> {
    switch (wanted.kind) {
      case 'refused':
        return wanted
      case 'files':
        return await this.#renderFiles(resource, wanted.ref, wanted.connection, signal)
      case 'mirror':
        return await this.#run(key, wanted.mirror)
    }
  }

  async #run(key: string, wanted: WantedMirror): Promise<MirrorFacts | undefined> {
    const { runner } = this.#options
    try {
      await runner.ensure(key, wanted)
    } catch (error) {
      if (!(error instanceof EtcdMirrorError)) throw error
      return refused('ConnectionNotReady', error.message)
    }
    const status = runner.status(key)
    return status && { kind: 'running', status }
  }

  /** Sidecars make the files: what they need to know goes into a ConfigMap. */
  async #renderFiles(
    mirror: KubeObject,
    ref: ConnectionRef,
    { shared, resource }: UsableConnection,
    signal: AbortSignal,
  ): Promise<MirrorFacts> {
    const { tls, username } = shared.etcd
    if (ref.kind === 'ClusterEtcdConnection' && (tls?.caFile ?? tls?.certFile ?? username) !== undefined) {
      const message = `${ref.kind} "${ref.name}" has Secrets, which sidecars of other namespaces cannot mount`
      return refused('NotSupported', message)
    }
    const request = { mirror, connection: resource, etcd: shared.etcd, owner: ownerOf(mirror) }
    try {
      await writeSidecarConfig(this.#options.client, request, signal)
    } catch (error) {
      if (error instanceof SinkError) return refused('Foreign', error.message)
      throw error
    }
    const name = sidecarConfigName(mirror.metadata.name)
    return { kind: 'rendered', message: `The configuration for sidecars is in ConfigMap "${name}".` }
  }

  #connectionOf(ref: ConnectionRef, { metadata }: KubeObject, prefix: string): UsableConnection | Refusal | undefined {
    const { connections, connectionResources } = this.#options
    const { namespace = '' } = metadata
    const key = connectionKey(ref, namespace)
    const name = `${ref.kind} "${ref.name}"`
    const resources = connectionResources[ref.kind]
    const connection = resources.get(key)
    if (connection === undefined) {
      const refusal = resources.refusal(namespace)
      if (refusal === undefined) return refused('ConnectionNotFound', `${name} does not exist`)
      return refused('ConnectionForbidden', `The operator may not read ${name}: ${refusal.message}`)
    }
    const state = connections.get(key)
    if (state === undefined || state.uid !== connection.metadata.uid) return undefined
    if (ref.kind === 'ClusterEtcdConnection') {
      const refusal = this.#refusal(name, state, namespace, prefix)
      if (refusal !== undefined) return refusal
    }
    if (state.shared !== undefined) return { shared: state.shared, resource: connection }
    return refused('ConnectionNotReady', `${name}: ${state.fault?.message ?? 'it cannot be used yet'}`)
  }

  /** What the namespace is not known to be allowed is refused. */
  #refusal(
    connection: string,
    { allow = [], allowInUse = [] }: ConnectionState,
    namespace: string,
    prefix: string,
  ): Refusal | undefined {
    const { namespaces } = this.#options
    const found = namespaces.get(`/${namespace}`)
    const forbidden = namespaces.refusal(namespace)
    if (found === undefined && forbidden !== undefined) {
      const message = `The operator may not read the labels of the namespace, by which ${connection} allows`
      return refused('ConnectionForbidden', `${message}: ${forbidden.message}`)
    }
    const tenant = { namespace, labels: found?.metadata.labels ?? {} }
    const isGranted = [allow, allowInUse].every((rules) => isAllowed(rules, tenant, prefix))
    if (found !== undefined && isGranted) return undefined
    const message = `${connection} does not allow the namespace ${namespace} to mirror ${JSON.stringify(prefix)}`
    return refused('NotAllowed', message)
  }

  async #report(key: string, object: KubeObject, facts: MirrorFacts, signal: AbortSignal): Promise<number | undefined> {
    const { runner, statuses } = this.#options
    const resync = object.metadata.annotations?.[RESYNC]
    const { lastHandledResync } = (object.status ?? {}) as EtcdMirrorStatus
    if (resync !== undefined && resync !== lastHandledResync) runner.requestResync(key, resync)
    return await statuses.write({ ...wantedStatus(object, facts), signal })
  }
}

function wantedStatus(object: KubeObject, facts: MirrorFacts): WantedStatus<EtcdMirrorStatus> {
  const common = { resource: ETCD_MIRRORS, object, findings: currentFindings(facts, object) }
  if (facts.kind !== 'running') return { ...common, facts: renderedFacts(facts, object) }
  const resync = object.metadata.annotations?.[RESYNC]
  return {
    ...common,
    facts: factsOf(facts.status),
    passing: syncTimeOf(facts.status),
    urgent: resync === undefined ? {} : { lastHandledResync: resync },
  }
}

function factsOf(status: MirrorStatus): Partial<EtcdMirrorStatus> {
  const { target, published, publishedRevision, keys, keyErrors, objects } = status
  if (!published) return { target }
  return {
    target,
    publishedRevision,
    keys: keys - keyErrors.count,
    keyErrors: keyErrors.count,
    objects,
  }
}

function syncTimeOf({ lastKnownEqualMs }: MirrorStatus): Partial<EtcdMirrorStatus> {
  return lastKnownEqualMs === undefined ? {} : { lastSyncTime: kubeTime(lastKnownEqualMs) }
}

function renderedFacts({ kind }: MirrorFacts, { metadata }: KubeObject): Partial<EtcdMirrorStatus> {
  return kind === 'rendered' ? { target: `configMap/${sidecarConfigName(metadata.name)}`, objects: 1 } : {}
}

function ownerOf({ metadata }: KubeObject): OwnerReference {
  const { name, uid = '' } = metadata
  const { kind } = ETCD_MIRRORS
  return { apiVersion: apiVersionOf(ETCD_MIRRORS), kind, name, uid, controller: true, blockOwnerDeletion: false }
}
