import type { EtcdMirrorStatus } from '../config/resource-status.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeObject, OwnerReference } from '../kube/kube-object.ts'
import { apiVersionOf } from '../kube/kube-resource.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import { SinkError } from '../mirror/sink-error.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { type AllowRule, isAllowed } from './allow.ts'
import { connectionKey } from './connection-kind.ts'
import type { Connections } from './connections.ts'
import { currentFindings } from './current-findings.ts'
import { mirrorFault } from './mirror-faults.ts'
import type { MirrorFacts } from './mirror-findings.ts'
import type { MirrorRunner } from './mirror-runner.ts'
import type { ConnectionRef } from './mirror-spec.ts'
import type { MirrorTemplates } from './mirror-templates.ts'
import { ETCD_MIRRORS } from './operator-resources.ts'
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

type Refusal = Extract<MirrorFacts, { kind: 'refused' }>

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
    const facts = await this.#bringAbout(key, resource, signal)
    if (facts === undefined) return undefined
    if (facts.kind !== 'running') await runner.stop(key)
    const againMs = await this.#report(key, resource, facts, signal)
    return facts.kind === 'rendered' ? RENDERED_MS : againMs
  }

  /** Whether something is to be written now in the status of a mirror that runs. Cheap. */
  isDue(key: string): boolean {
    const { mirrors, runner, statuses } = this.#options
    const resource = mirrors.get(key)
    const status = runner.status(key)
    if (resource === undefined || status === undefined) return false
    return statuses.dueMs(wantedStatus(resource, { kind: 'running', status })) === 0
  }

  /** undefined = its connection or its template was not looked at yet: that will call again. */
  async #bringAbout(key: string, resource: KubeObject, signal: AbortSignal): Promise<MirrorFacts | undefined> {
    const { runner, templates } = this.#options
    const request = templates.requestOf(resource)
    if (request === undefined || request.kind === 'refused') return request
    const prefix = request.kind === 'files' ? request.prefix : request.config.prefix.toString('utf8')
    const connection = this.#connectionOf(request.connection, resource, prefix)
    if (connection === undefined || 'kind' in connection) return connection
    if (request.kind === 'files') return await this.#renderFiles(resource, request.connection, connection, signal)
    const { config } = request
    if ('objects' in config.target && !this.#options.allowsObjects) {
      return refused('KindNotAllowed', 'spec.target.objects: the operator allows no kind (--allow-kinds)')
    }
    const fault = mirrorFault(config)
    if (fault !== undefined) return refused('InvalidSpec', fault)
    const { namespace = '' } = resource.metadata
    try {
      await runner.ensure(key, { config, namespace, owner: ownerOf(resource), connection: connection.shared })
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
    if (state === undefined) return undefined
    if (ref.kind === 'ClusterEtcdConnection') {
      const refusal = this.#refusal(name, state.allow ?? [], namespace, prefix)
      if (refusal !== undefined) return refusal
    }
    if (state.shared !== undefined) return { shared: state.shared, resource: connection }
    return refused('ConnectionNotReady', `${name}: ${state.fault?.message ?? 'it cannot be used yet'}`)
  }

  /** What the namespace is not known to be allowed is refused. */
  #refusal(connection: string, rules: readonly AllowRule[], namespace: string, prefix: string): Refusal | undefined {
    const { namespaces } = this.#options
    const found = namespaces.get(`/${namespace}`)
    const forbidden = namespaces.refusal(namespace)
    if (found === undefined && forbidden !== undefined) {
      const message = `The operator may not read the labels of the namespace, by which ${connection} allows`
      return refused('ConnectionForbidden', `${message}: ${forbidden.message}`)
    }
    const labels = found?.metadata.labels ?? {}
    if (found !== undefined && isAllowed(rules, { namespace, labels }, prefix)) return undefined
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
  const { target, published, keys, keyErrors, objects } = status
  if (!published) return { target }
  return {
    target,
    publishedRevision: revisionOf(status),
    keys: keys - keyErrors.count,
    keyErrors: keyErrors.count,
    objects,
  }
}

function syncTimeOf({ lastKnownEqualMs }: MirrorStatus): Partial<EtcdMirrorStatus> {
  return lastKnownEqualMs === undefined ? {} : { lastSyncTime: isoSeconds(lastKnownEqualMs) }
}

function renderedFacts({ kind }: MirrorFacts, { metadata }: KubeObject): Partial<EtcdMirrorStatus> {
  return kind === 'rendered' ? { target: `configMap/${sidecarConfigName(metadata.name)}`, objects: 1 } : {}
}

function revisionOf({ published, publishedRevision }: MirrorStatus): number | undefined {
  return published ? publishedRevision : undefined
}

function isoSeconds(ms: number): string {
  return new Date(ms).toISOString().replace(/\.\d+Z$/, 'Z')
}

function ownerOf({ metadata }: KubeObject): OwnerReference {
  const { name, uid = '' } = metadata
  const { kind } = ETCD_MIRRORS
  return { apiVersion: apiVersionOf(ETCD_MIRRORS), kind, name, uid, controller: true, blockOwnerDeletion: false }
}

function refused(reason: string, message: string): Refusal {
  return { kind: 'refused', reason, message }
}
