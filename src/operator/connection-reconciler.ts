import { ClientPool } from '../assemble/client-pool.ts'
import { configHash } from '../config/config-hash.ts'
import type { ConnectionStatus } from '../config/resource-status.ts'
import type { StatusResponse } from '../etcd/messages.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import { SECRETS } from '../kube/kube-resource.ts'
import type { Clock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Metrics } from '../util/metrics.ts'
import type { Compactions } from './compactions.ts'
import { connectionFindings } from './connection-findings.ts'
import { type ConnectionKind, resourceOfConnection } from './connection-kind.ts'
import {
  type ConnectionFault,
  type ConnectionSpec,
  connectionOptions,
  parseConnection,
  type SecretData,
} from './connection-options.ts'
import type { ConnectionState, Connections } from './connections.ts'
import type { ResourceCache } from './resource-cache.ts'
import { SharedConnection } from './shared-connection.ts'
import type { StatusWriter } from './status-writer.ts'

export interface ConnectionReconcilerOptions {
  readonly kind: ConnectionKind
  readonly cache: ResourceCache
  readonly connections: Connections
  readonly compactions: Compactions
  readonly client: KubeClient
  /** Where Secrets of a ClusterEtcdConnection are. */
  readonly operatorNamespace: string
  readonly statuses: StatusWriter<ConnectionStatus>
  readonly clock: Clock
  readonly metrics: Metrics
  /** How many mirrors use it. */
  readonly countMirrors: (key: string) => number
  /** Mirrors may have to be looked at again: what stands behind the connection is another one. */
  readonly onChange: (key: string) => void
}

/** How often Secrets are read again and etcd is asked whether it is there. */
const AGAIN_MS = 30_000
/** What is missing may come any moment. */
const FAULTY_MS = 5000
const JITTER_MS = 3000

type Probe = { readonly answer: StatusResponse } | { readonly error: EtcdMirrorError }

/** Makes of each connection what mirrors can use, follows its Secrets, and says in its status what became of it. */
export class ConnectionReconciler {
  readonly #options: ConnectionReconcilerOptions

  constructor(options: ConnectionReconcilerOptions) {
    this.#options = options
  }

  async reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { cache, connections, compactions, onChange, statuses } = this.#options
    const resource = cache.get(key)
    if (resource === undefined) {
      statuses.forget(key)
      await compactions.use(key, undefined, 0)
      if (connections.delete(key)) onChange(key)
      return undefined
    }
    const before = connections.get(key)
    const state = await this.#stateOf(resource, before, signal)
    connections.set(key, state)
    await compactions.use(key, state.shared, state.compactionMs)
    if (isOther(before, state)) onChange(key)
    await this.#report(key, resource, state, signal)
    return (state.fault === undefined ? AGAIN_MS : FAULTY_MS) + Math.random() * JITTER_MS
  }

  async #stateOf(
    resource: KubeObject,
    before: ConnectionState | undefined,
    signal: AbortSignal,
  ): Promise<ConnectionState> {
    const { shared, hash: known = '', allow, compactionMs = 0 } = before ?? {}
    const kept = { shared, hash: known, allow, compactionMs }
    const parsed = parseConnection(this.#options.kind, resource.spec)
    if ('fault' in parsed) return { ...kept, fault: parsed.fault }
    const { spec } = parsed
    const written = { allow: 'allow' in spec ? spec.allow : undefined, compactionMs: spec.compaction?.period ?? 0 }
    const secrets = await this.#secretsOf(spec, resource.metadata.namespace, signal)
    if ('fault' in secrets) return { ...kept, ...written, fault: secrets.fault }
    const made = connectionOptions(spec, secrets)
    if ('fault' in made) return { ...kept, ...written, fault: made.fault }
    const { etcd, given } = made
    const hash = configHash({ etcd, secrets: [secrets.tls, secrets.auth].map(plain) })
    if (before?.shared !== undefined && before.hash === hash) return { ...kept, ...written, fault: undefined }
    const { clock, metrics } = this.#options
    const pool = new ClientPool(etcd, { clock, metrics, given })
    try {
      await pool.reserve(1)
    } catch (error) {
      if (!(error instanceof EtcdMirrorError)) throw error
      return { ...kept, ...written, fault: { reason: 'SecretInvalid', message: error.message } }
    }
    return { shared: new SharedConnection(etcd, pool), hash, ...written, fault: undefined }
  }

  async #secretsOf(
    { tls, auth }: ConnectionSpec,
    namespace: string | undefined,
    signal: AbortSignal,
  ): Promise<
    | { readonly tls: SecretData | undefined; readonly auth: SecretData | undefined }
    | { readonly fault: ConnectionFault }
  > {
    const place = namespace ?? this.#options.operatorNamespace
    const read = async (name: string | undefined) =>
      name === undefined ? undefined : await this.#secret(place, name, signal)
    const [certificates, login] = await Promise.all([read(tls?.secretRef?.name), read(auth?.secretRef.name)])
    for (const [found, name] of [
      [certificates, tls?.secretRef?.name],
      [login, auth?.secretRef.name],
    ] as const) {
      if (found === 'absent') {
        const message = `Secret "${name}" does not exist in the namespace ${place}`
        return { fault: { reason: 'SecretNotFound', message } }
      }
    }
    return { tls: certificates as SecretData | undefined, auth: login as SecretData | undefined }
  }

  async #secret(namespace: string, name: string, signal: AbortSignal): Promise<SecretData | 'absent'> {
    const found = await this.#options.client.get({ resource: SECRETS, namespace, name }, signal)
    if (found === undefined) return 'absent'
    const data = (found.data ?? {}) as Readonly<Record<string, string>>
    return new Map(Object.entries(data).map(([field, text]) => [field, Buffer.from(text, 'base64')]))
  }

  async #report(key: string, resource: KubeObject, state: ConnectionState, signal: AbortSignal): Promise<void> {
    const { statuses, countMirrors, compactions, kind } = this.#options
    const probe = state.shared === undefined ? undefined : await probeEtcd(state.shared, signal)
    const answer = probe && 'answer' in probe ? probe.answer : undefined
    const findings = connectionFindings(state, probe && 'error' in probe ? probe.error : undefined)
    const facts: Partial<ConnectionStatus> = {
      mirrors: countMirrors(key),
      compactedRevision: compactions.compactedRevision(key),
      ...(answer && {
        version: answer.version,
        clusterId: answer.header.clusterId.toString(16),
      }),
    }
    await statuses.write({ resource: resourceOfConnection(kind), object: resource, findings, facts, signal })
  }
}

async function probeEtcd(shared: SharedConnection, signal: AbortSignal): Promise<Probe> {
  const client = await shared.lease()
  try {
    return { answer: await client.unary('status', {}, { signal }) }
  } catch (error) {
    signal.throwIfAborted()
    if (error instanceof EtcdMirrorError) return { error }
    throw error
  } finally {
    shared.release(client)
  }
}

/** Whether mirrors would be another way off with it. */
function isOther(before: ConnectionState | undefined, after: ConnectionState): boolean {
  const facts = (state: ConnectionState) => JSON.stringify([state.allow, state.fault])
  return before === undefined || before.shared !== after.shared || facts(before) !== facts(after)
}

function plain(data: SecretData | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries([...(data ?? [])].map(([name, bytes]) => [name, bytes.toString('base64')]))
}
