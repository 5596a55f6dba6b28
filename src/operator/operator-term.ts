import type { ConnectionStatus, EtcdMirrorStatus } from '../config/resource-status.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import type { KubeResource } from '../kube/kube-resource.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import type { MetricsRegistry } from '../observe/metrics-registry.ts'
import { RenderPool } from '../targets/render/render-pool.ts'
import type { AllowedKind } from '../util/allowed-kind.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import { Compactions } from './compactions.ts'
import { type ConnectionKind, connectionKey } from './connection-kind.ts'
import { ConnectionReconciler } from './connection-reconciler.ts'
import { Connections } from './connections.ts'
import { EventRecorder } from './event-recorder.ts'
import { MirrorReconciler } from './mirror-reconciler.ts'
import { MirrorRunner } from './mirror-runner.ts'
import { CLUSTER_ETCD_CONNECTIONS, ETCD_CONNECTIONS, ETCD_MIRRORS, keyOf, NAMESPACES } from './operator-resources.ts'
import { operatorSink } from './operator-sink.ts'
import { ResourceCache } from './resource-cache.ts'
import { SharedWatches } from './shared-watches.ts'
import { StatusWriter } from './status-writer.ts'
import { WorkQueue } from './work-queue.ts'

export interface OperatorTermOptions {
  readonly client: KubeClient
  /** undefined = all. */
  readonly namespaces: readonly string[] | undefined
  /** Of the operator itself. */
  readonly operatorNamespace: string
  /** What the target `objects` may write. */
  readonly allowKinds: readonly AllowedKind[]
  /** Most EtcdMirrors that are reconciled at once. */
  readonly concurrency: number
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: MetricsRegistry
  readonly beat: () => void
}

/** How often running mirrors are asked whether there is news for their status. */
const POLL_MS = 1000
/** Failures of mirrors that new Secrets may heal, and how soon these are read again then. */
const REFUSED: ReadonlySet<string> = new Set(['AuthenticationFailed', 'TlsRefused'])
const REFUSED_MS = 3000
/** A namespace whose renderings take long has a fifth of a process. */
const RENDERING = { processes: 2, memoryMiB: 64, waitFactor: 4 }

/** Everything that one leader does, from the first list to the last mirror that has let its target go. */
export class OperatorTerm {
  readonly #options: OperatorTermOptions
  readonly #connections = new Connections()
  readonly #runner: MirrorRunner
  readonly #compactions: Compactions
  readonly #watches: SharedWatches
  readonly #renderPool: RenderPool
  readonly #mirrors: ResourceCache
  readonly #namespaces: ResourceCache
  readonly #caches: Readonly<Record<ConnectionKind, ResourceCache>>
  readonly #queues: Readonly<Record<ConnectionKind | 'EtcdMirror', WorkQueue>>
  readonly #reconciler: MirrorReconciler

  constructor(options: OperatorTermOptions) {
    this.#options = options
    this.#watches = new SharedWatches(options)
    this.#renderPool = new RenderPool({ clock: options.clock, ...RENDERING })
    const context = {
      ...options,
      watches: this.#watches,
      renderPool: this.#renderPool,
      metrics: options.metrics.metrics,
    }
    this.#runner = new MirrorRunner({ ...options, createSink: (request) => operatorSink(request, context) })
    this.#compactions = new Compactions({
      ...options,
      metrics: options.metrics.metrics,
      oldestNeeded: (connection) => this.#runner.oldestNeeded(connection),
    })
    this.#mirrors = this.#cache(ETCD_MIRRORS, (key) => this.#queues.EtcdMirror.add(key))
    this.#namespaces = this.#cache(NAMESPACES, (key) => this.#namespaceChanged(key))
    this.#caches = {
      EtcdConnection: this.#cache(ETCD_CONNECTIONS, (key) => this.#queues.EtcdConnection.add(key)),
      ClusterEtcdConnection: this.#cache(CLUSTER_ETCD_CONNECTIONS, (key) =>
        this.#queues.ClusterEtcdConnection.add(key),
      ),
    }
    this.#reconciler = this.#mirrorReconciler()
    const own = this.#connectionReconciler('EtcdConnection')
    const shared = this.#connectionReconciler('ClusterEtcdConnection')
    this.#queues = {
      EtcdMirror: this.#queue('etcdmirror', (key, signal) => this.#reconciler.reconcile(key, signal)),
      EtcdConnection: this.#queue('etcdconnection', (key, signal) => own.reconcile(key, signal)),
      ClusterEtcdConnection: this.#queue('clusteretcdconnection', (key, signal) => shared.reconcile(key, signal)),
    }
  }

  statuses(): readonly MirrorStatus[] {
    return this.#runner.statuses()
  }

  /** Leads until the signal aborts, and resolves once no mirror runs any more. */
  async run(signal: AbortSignal): Promise<void> {
    const caches = [this.#namespaces, this.#mirrors, ...Object.values(this.#caches)]
    const follow = Promise.all(caches.map((cache) => cache.run(signal)))
    const aborted = new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    // With less than everything known a mirror would be told that its connection does not exist.
    await Promise.race([aborted, Promise.all(caches.map((cache) => cache.listed()))])
    try {
      await Promise.all([follow, this.#poll(signal), ...Object.values(this.#queues).map((queue) => queue.run(signal))])
    } finally {
      await this.#runner.close()
      await this.#watches.close()
      this.#renderPool.close()
      await this.#compactions.close()
      this.#connections.close()
    }
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { clock, beat } = this.#options
    while (!signal.aborted) {
      await clock.sleep(POLL_MS, signal).catch(() => undefined)
      beat()
      for (const key of this.#runner.keys) {
        if (this.#reconciler.isNews(key)) this.#queues.EtcdMirror.add(key)
        if (REFUSED.has(this.#runner.status(key)?.lastError?.reason ?? '')) this.#askForCredentials(key)
      }
    }
  }

  /** The Secrets may be other ones by now. */
  #askForCredentials(mirror: string): void {
    for (const kind of ['EtcdConnection', 'ClusterEtcdConnection'] as const) {
      const key = this.#connectionOf(this.#mirrors.get(mirror), kind)
      if (key !== undefined) this.#queues[kind].addAfter(key, REFUSED_MS)
    }
  }

  #namespaceChanged(key: string): void {
    const namespace = key.slice(1)
    for (const mirror of this.#mirrors.values()) {
      if (mirror.metadata.namespace === namespace) this.#queues.EtcdMirror.add(keyOf(mirror))
    }
  }

  #connectionChanged(kind: ConnectionKind, key: string): void {
    for (const mirror of this.#usersOf(kind, key)) this.#queues.EtcdMirror.add(mirror)
  }

  #usersOf(kind: ConnectionKind, key: string): readonly string[] {
    return [...this.#mirrors.values()].filter((mirror) => this.#connectionOf(mirror, kind) === key).map(keyOf)
  }

  /** Key of the connection of this kind that a mirror refers to; undefined = none. */
  #connectionOf(mirror: KubeObject | undefined, kind: ConnectionKind): string | undefined {
    if (mirror === undefined) return undefined
    const { connectionRef } = (mirror.spec ?? {}) as { connectionRef?: { kind?: ConnectionKind; name?: string } }
    const { kind: refKind = 'EtcdConnection', name = '' } = connectionRef ?? {}
    return refKind === kind ? connectionKey({ kind, name }, mirror.metadata.namespace ?? '') : undefined
  }

  #cache(resource: KubeResource, onChange: (key: string) => void): ResourceCache {
    const { client, clock, logger, namespaces } = this.#options
    const isOfCluster = resource === NAMESPACES || resource === CLUSTER_ETCD_CONNECTIONS
    return new ResourceCache({
      client,
      resource,
      namespaces: isOfCluster ? undefined : namespaces,
      clock,
      logger,
      onChange,
    })
  }

  #queue(name: string, reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>): WorkQueue {
    const { concurrency, clock, logger, metrics } = this.#options
    return new WorkQueue({ name, concurrency, reconcile, clock, logger, metrics: metrics.metrics })
  }

  #mirrorReconciler(): MirrorReconciler {
    return new MirrorReconciler({
      mirrors: this.#mirrors,
      namespaces: this.#namespaces,
      client: this.#options.client,
      allowsObjects: this.#options.allowKinds.length > 0,
      connectionResource: (kind, key) => this.#caches[kind].get(key),
      connections: this.#connections,
      runner: this.#runner,
      statuses: this.#statusWriter<EtcdMirrorStatus>(this.#mirrors),
    })
  }

  #connectionReconciler(kind: ConnectionKind): ConnectionReconciler {
    const { client, operatorNamespace, clock, metrics } = this.#options
    return new ConnectionReconciler({
      kind,
      cache: this.#caches[kind],
      connections: this.#connections,
      compactions: this.#compactions,
      client,
      operatorNamespace,
      statuses: this.#statusWriter<ConnectionStatus>(this.#caches[kind]),
      clock,
      metrics: metrics.metrics,
      countMirrors: (key) => this.#usersOf(kind, key).length,
      onChange: (key) => this.#connectionChanged(kind, key),
    })
  }

  #statusWriter<Status extends EtcdMirrorStatus | ConnectionStatus>(cache: ResourceCache): StatusWriter<Status> {
    const { client, clock, logger, operatorNamespace } = this.#options
    const events = new EventRecorder({ client, clock, logger, operatorNamespace })
    return new StatusWriter<Status>({ client, events, clock, onWritten: (object) => cache.put(object) })
  }
}
