import type { EtcdMirrorStatus } from '../config/resource-status.ts'
import { targetKind } from '../config/target-options.ts'
import type { KubeObject, OwnerReference } from '../kube/kube-object.ts'
import { apiVersionOf } from '../kube/kube-resource.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { isAllowed } from './allow.ts'
import { sameConditions, toConditions } from './conditions.ts'
import { connectionKey } from './connection-kind.ts'
import type { Connections } from './connections.ts'
import { type MirrorFacts, mirrorFindings } from './mirror-findings.ts'
import type { MirrorRunner } from './mirror-runner.ts'
import { type ConnectionRef, mirrorRequest } from './mirror-spec.ts'
import { ETCD_MIRRORS } from './operator-resources.ts'
import { OPERATOR_TARGETS } from './operator-sink.ts'
import type { ResourceCache } from './resource-cache.ts'
import type { SharedConnection } from './shared-connection.ts'
import type { StatusWriter } from './status-writer.ts'

export interface MirrorReconcilerOptions {
  readonly mirrors: ResourceCache
  readonly namespaces: ResourceCache
  /** Whether a connection resource of this kind and key is there. */
  readonly hasConnection: (kind: ConnectionRef['kind'], key: string) => boolean
  readonly connections: Connections
  readonly runner: MirrorRunner
  readonly statuses: StatusWriter<EtcdMirrorStatus>
}

const RESYNC = 'etcdmirror.dev/resync'

type Refusal = Extract<MirrorFacts, { kind: 'refused' }>

/** Has each EtcdMirror run as it is written, and says in its status what became of it. */
export class MirrorReconciler {
  readonly #options: MirrorReconcilerOptions

  constructor(options: MirrorReconcilerOptions) {
    this.#options = options
  }

  async reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { mirrors, runner, statuses } = this.#options
    const resource = mirrors.get(key)
    if (resource === undefined || resource.metadata.deletionTimestamp !== undefined) {
      await runner.stop(key)
      statuses.forget(key)
      return undefined
    }
    const facts = await this.#bringAbout(key, resource)
    if (facts === undefined) return undefined
    if (facts.kind === 'refused') await runner.stop(key)
    return await this.#report(key, resource, facts, signal)
  }

  /** Whether the conditions that stand in the resource are not those of now any more. Cheap. */
  isNews(key: string): boolean {
    const { mirrors, runner } = this.#options
    const resource = mirrors.get(key)
    const status = runner.status(key)
    if (resource === undefined || status === undefined) return false
    const written = (resource.status ?? {}) as EtcdMirrorStatus
    const known = written.conditions ?? []
    const generation = resource.metadata.generation ?? 0
    const conditions = toConditions(mirrorFindings({ kind: 'running', status }), known, { generation, nowMs: 0 })
    return !sameConditions(known, conditions) || written.publishedRevision !== revisionOf(status)
  }

  /** undefined = its connection was not looked at yet: that will call again. */
  async #bringAbout(key: string, resource: KubeObject): Promise<MirrorFacts | undefined> {
    const { runner } = this.#options
    const request = mirrorRequest(resource)
    if (request.kind === 'invalid') return refused('InvalidSpec', request.message)
    if (request.kind === 'files') return refused('NotSupported', 'spec.target.files is not rendered by this version')
    const { config } = request
    const prefix = config.prefix.toString('utf8')
    const connection = this.#connectionOf(request.connection, resource, prefix)
    if (connection === undefined || 'kind' in connection) return connection
    const unsupported = unsupportedTarget(targetKind(config.target))
    if (unsupported !== undefined) return unsupported
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

  #connectionOf(
    ref: ConnectionRef,
    { metadata }: KubeObject,
    prefix: string,
  ): { readonly shared: SharedConnection } | Refusal | undefined {
    const { connections, hasConnection, namespaces } = this.#options
    const { namespace = '' } = metadata
    const key = connectionKey(ref, namespace)
    const name = `${ref.kind} "${ref.name}"`
    if (!hasConnection(ref.kind, key)) return refused('ConnectionNotFound', `${name} does not exist`)
    const state = connections.get(key)
    if (state === undefined) return undefined
    if (ref.kind === 'ClusterEtcdConnection') {
      const labels = namespaces.get(`/${namespace}`)?.metadata.labels ?? {}
      if (!isAllowed(state.allow ?? [], { namespace, labels }, prefix)) {
        const message = `${name} does not allow the namespace ${namespace} to mirror ${JSON.stringify(prefix)}`
        return refused('NotAllowed', message)
      }
    }
    if (state.shared !== undefined) return { shared: state.shared }
    return refused('ConnectionNotReady', `${name}: ${state.fault?.message ?? 'it cannot be used yet'}`)
  }

  async #report(key: string, object: KubeObject, facts: MirrorFacts, signal: AbortSignal): Promise<number | undefined> {
    const { runner, statuses } = this.#options
    const wanted = object.metadata.annotations?.[RESYNC]
    const handled = ((object.status ?? {}) as EtcdMirrorStatus).lastHandledResync
    const isRunning = facts.kind === 'running'
    if (isRunning && wanted !== undefined && wanted !== handled) runner.requestResync(key)
    return await statuses.write({
      resource: ETCD_MIRRORS,
      object,
      findings: mirrorFindings(facts),
      facts: isRunning ? factsOf(facts.status) : {},
      passing: isRunning ? syncTimeOf(facts.status) : {},
      urgent: isRunning && wanted !== undefined ? { lastHandledResync: wanted } : {},
      signal,
    })
  }
}

function factsOf(status: MirrorStatus): Partial<EtcdMirrorStatus> {
  const { target, published, keys, keyErrors } = status
  if (!published) return { target }
  return {
    target,
    publishedRevision: revisionOf(status),
    keys: keys - keyErrors.count,
    keyErrors: keyErrors.count,
  }
}

function syncTimeOf({ lastKnownEqualMs }: MirrorStatus): Partial<EtcdMirrorStatus> {
  return lastKnownEqualMs === undefined ? {} : { lastSyncTime: isoSeconds(lastKnownEqualMs) }
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

function unsupportedTarget(kind: string): Refusal | undefined {
  return OPERATOR_TARGETS.has(kind)
    ? undefined
    : refused('NotSupported', `spec.target.${kind} is not written by this version`)
}
