import { ClientPool } from '../assemble/client-pool.ts'
import { configHash } from '../config/config-hash.ts'
import type { ConnectionStatus } from '../config/resource-status.ts'
import type { KubeObject } from '../kube/kube-object.ts'
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
  grantsOf,
  parseConnection,
  type SecretData,
} from './connection-options.ts'
import type { ConnectionProbes } from './connection-probes.ts'
import type { ConnectionSecrets, Secrets } from './connection-secrets.ts'
import type { ConnectionState, Connections } from './connections.ts'
import type { ResourceCache } from './resource-cache.ts'
import { SharedConnection } from './shared-connection.ts'
import type { StatusWriter } from './status-writer.ts'
import { withHint } from './with-hint.ts'

export interface ConnectionReconcilerOptions {
  readonly kind: ConnectionKind
  readonly cache: ResourceCache
  readonly connections: Connections
  readonly compactions: Compactions
  /** They call again when an etcd was asked. */
  readonly probes: ConnectionProbes
  readonly secrets: ConnectionSecrets
  readonly statuses: StatusWriter<ConnectionStatus>
  readonly clock: Clock
  readonly metrics: Metrics
  /** How many mirrors use it. */
  readonly countMirrors: (key: string) => number
  /** Mirrors may have to be looked at again: what stands behind the connection is another one. */
  readonly onChange: (key: string) => void
}

/** How often it is counted how many mirrors use it. */
const AGAIN_MS = 30_000
const JITTER_MS = 3000

/** Makes of each connection what mirrors can use, follows its Secrets, and says in its status what became of it. */
export class ConnectionReconciler {
  readonly #options: ConnectionReconcilerOptions

  constructor(options: ConnectionReconcilerOptions) {
    this.#options = options
  }

  async reconcile(key: string, signal: AbortSignal): Promise<number | undefined> {
    const { cache, connections, compactions, onChange, probes, secrets, statuses } = this.#options
    const resource = cache.get(key)
    if (connections.get(key)?.uid !== resource?.metadata.uid) await this.#forget(key)
    if (resource === undefined) {
      statuses.forget(key)
      secrets.forget(key)
      // Also of one that was not looked at yet: its mirrors still wait for that.
      onChange(key)
      return undefined
    }
    const allow = grantsOf(this.#options.kind, resource.spec)
    const before = this.#withGrants(key, allow)
    const state = await this.#stateOf(key, resource, { before, allow })
    if (state === undefined) return undefined
    this.#set(key, state)
    probes.use(key, state.shared)
    await compactions.use(key, state.shared, state.compactionMs)
    await this.#report(key, resource, state, signal)
    return AGAIN_MS + Math.random() * JITTER_MS
  }

  async #forget(key: string): Promise<void> {
    const { connections, compactions, onChange, probes } = this.#options
    if (connections.delete(key)) onChange(key)
    probes.use(key, undefined)
    await compactions.use(key, undefined, 0)
  }

  #set(key: string, state: ConnectionState): void {
    const { connections, onChange } = this.#options
    const before = connections.get(key)
    connections.set(key, state)
    if (isOther(before, state)) onChange(key)
  }

  /** What is not granted any more ends at once, whatever has to be waited for and whatever is wrong with the rest. */
  #withGrants(key: string, allow: ConnectionState['allow']): ConnectionState | undefined {
    const { connections } = this.#options
    const before = connections.get(key)
    if (before !== undefined) this.#set(key, { ...before, allow })
    return connections.get(key)
  }

  /** undefined = its Secrets were not read yet: they will call again. */
  async #stateOf(
    key: string,
    { metadata, spec }: KubeObject,
    { before, allow }: { readonly before: ConnectionState | undefined; readonly allow: ConnectionState['allow'] },
  ): Promise<ConnectionState | undefined> {
    const { kind } = this.#options
    const kept = before ?? {
      uid: metadata.uid,
      shared: undefined,
      hash: '',
      allow,
      allowInUse: allow,
      compactionMs: 0,
    }
    const parsed = parseConnection(kind, spec)
    if ('fault' in parsed) return { ...kept, fault: parsed.fault }
    const secrets = this.#options.secrets.of(key, parsed.spec, metadata.namespace)
    if (secrets === undefined) return undefined
    const compactionMs = parsed.spec.compaction?.period ?? 0
    const made = 'fault' in secrets ? secrets : await this.#connect(parsed.spec, secrets, before)
    if (made.fault !== undefined) return { ...kept, compactionMs, fault: made.fault }
    return { ...kept, allowInUse: allow, compactionMs, ...made }
  }

  /** What is the same as before stays the one of before. */
  async #connect(
    spec: ConnectionSpec,
    secrets: Secrets,
    before: ConnectionState | undefined,
  ): Promise<
    (Pick<ConnectionState, 'shared' | 'hash'> & { readonly fault: undefined }) | { readonly fault: ConnectionFault }
  > {
    const made = connectionOptions(spec, secrets)
    if ('fault' in made) return made
    const { etcd, given } = made
    const hash = configHash({ etcd, secrets: [secrets.tls, secrets.auth].map(plain) })
    if (before?.shared !== undefined && before.hash === hash) return { shared: before.shared, hash, fault: undefined }
    const { clock, metrics } = this.#options
    const pool = new ClientPool(etcd, { clock, metrics, given })
    try {
      await pool.reserve(1)
    } catch (error) {
      if (!(error instanceof EtcdMirrorError)) throw error
      return { fault: { reason: 'SecretInvalid', message: withHint(error) } }
    }
    return { shared: new SharedConnection(etcd, pool), hash, fault: undefined }
  }

  async #report(key: string, resource: KubeObject, state: ConnectionState, signal: AbortSignal): Promise<void> {
    const { statuses, countMirrors, compactions, probes, kind } = this.#options
    const probe = probes.get(key)
    // Its etcd was not asked yet: that will call again.
    if (state.shared !== undefined && probe === undefined) return
    const [known, error] = probe && 'error' in probe ? [undefined, probe.error] : [probe, undefined]
    const facts: Partial<ConnectionStatus> = {
      mirrors: countMirrors(key),
      compactedRevision: compactions.compactedRevision(key),
      ...known,
    }
    await statuses.write({
      resource: resourceOfConnection(kind),
      object: resource,
      findings: connectionFindings(state, error),
      facts,
      signal,
    })
  }
}

/** Whether mirrors would be another way off with it. */
function isOther(before: ConnectionState | undefined, after: ConnectionState): boolean {
  const facts = (state: ConnectionState) => JSON.stringify([state.allow, state.allowInUse, state.fault])
  return before === undefined || before.shared !== after.shared || facts(before) !== facts(after)
}

function plain(data: SecretData | undefined): Readonly<Record<string, string>> {
  return Object.fromEntries([...(data ?? [])].map(([name, bytes]) => [name, bytes.toString('base64')]))
}
