import type { ConnectionStatus, EtcdMirrorStatus } from '../config/resource-status.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import { CONFIG_MAPS, type KubeResource, SECRETS } from '../kube/kube-resource.ts'
import type { Hold } from '../kube/lease.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import type { HealthResult } from '../observe/health-registry.ts'
import type { MetricsRegistry } from '../observe/metrics-registry.ts'
import { RenderPool } from '../targets/render/render-pool.ts'
import type { AllowedKind } from '../util/allowed-kind.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import { untilAborted } from '../util/until-aborted.ts'
import { Compactions } from './compactions.ts'
import { type ConnectionKind, kindOfConnection } from './connection-kind.ts'
import { ConnectionProbes } from './connection-probes.ts'
import { ConnectionReconciler } from './connection-reconciler.ts'
import { ConnectionSecrets } from './connection-secrets.ts'
import { ConnectionUsers } from './connection-users.ts'
import { Connections } from './connections.ts'
import { EventRecorder } from './event-recorder.ts'
import { MirrorReconciler } from './mirror-reconciler.ts'
import { MirrorRunner } from './mirror-runner.ts'
import { MirrorTemplates } from './mirror-templates.ts'
import { NamedObjects } from './named-objects.ts'
import { CLUSTER_ETCD_CONNECTIONS, ETCD_CONNECTIONS, ETCD_MIRRORS, keyOf, NAMESPACES } from './operator-resources.ts'
import { operatorSink } from './operator-sink.ts'
import { type Place, ResourceCache } from './resource-cache.ts'
import { SharedWatches } from './shared-watches.ts'
import { StatusWriter } from './status-writer.ts'
import { withHint } from './with-hint.ts'
import { WorkQueue } from './work-queue.ts'

export interface OperatorTermOptions {
  readonly client: KubeClient
  /** The leadership: without it nothing is written. */
  readonly hold: Hold
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

/** How often it is looked whether something is to be written in the status of a mirror that runs. */
const POLL_MS = 1000
/** A namespace whose renderings take long has a fifth of a process. */
const RENDERING = { processes: 2, memoryMiB: 64, waitFactor: 4 }

/** Everything that one leader does, from the first list to the last mirror that has let its target go. */
export class OperatorTerm {
  readonly #options: OperatorTermOptions
  readonly #connections = new Connections()
  readonly #users = new ConnectionUsers()
  readonly #runner: MirrorRunner
  readonly #compactions: Compactions
  readonly #probes: ConnectionProbes
  readonly #watches: SharedWatches
  readonly #secrets: NamedObjects
  readonly #configMaps: NamedObjects
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
    const lookAtConnection = (key: string) => this.#queues[kindOfConnection(key)].add(key)
    this.#probes = new ConnectionProbes({ ...options, onChange: lookAtConnection })
    this.#secrets = new NamedObjects({ ...options, resource: SECRETS, onChange: lookAtConnection })
    const templateChanged = (key: string) => this.#queues.EtcdMirror.add(key)
    this.#configMaps = new NamedObjects({ ...options, resource: CONFIG_MAPS, onChange: templateChanged })
    this.#mirrors = this.#cache(ETCD_MIRRORS, (key) => {
      this.#users.note(key, this.#mirrors.get(key))
      this.#queues.EtcdMirror.add(key)
    })
    this.#namespaces = this.#cache(NAMESPACES, (key) => this.#lookAtMirrorsOf(key.slice(1)))
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

  /** Whether everything was listed that may be; once it was it stays so. */
  listHealth(): HealthResult {
    const obstacle = this.#all.map((cache) => cache.obstacle).find((each) => each !== undefined)
    return obstacle === undefined ? { ok: true, message: 'listed' } : { ok: false, message: obstacle }
  }

  /** The same, and whether there is any place where mirrors may be read. */
  health(): HealthResult {
    const refusal = this.#mirrors.refusedEverywhere
    return refusal === undefined ? this.listHealth() : { ok: false, message: withHint(refusal) }
  }

  /** Leads until the signal aborts, and resolves once no mirror runs any more. */
  async run(signal: AbortSignal): Promise<void> {
    // Also while nothing can be listed: a restart would not heal that.
    const poll = this.#poll(signal)
    const follow = Promise.all(this.#all.map((cache) => cache.run(signal)))
    const aborted = untilAborted(signal)
    // At once: what the queues work on may wait for long, and nothing must be written meanwhile.
    const halted = aborted.then(() => Promise.all([this.#runner.halt(), this.#compactions.close()]))
    // With less than everything known a mirror would be told that its connection does not exist.
    await Promise.race([aborted, Promise.all(this.#all.map((cache) => cache.listed()))])
    try {
      const work = Object.values(this.#queues).map((queue) => queue.run(signal))
      await Promise.all([follow, poll, halted, ...work])
    } finally {
      // Before the mirrors, which say what they still need of the history.
      await this.#compactions.close()
      await this.#runner.close()
      await Promise.all([this.#watches, this.#secrets, this.#configMaps].map((watches) => watches.close()))
      this.#renderPool.close()
      await this.#probes.close()
      this.#connections.close()
    }
  }

  get #all(): readonly ResourceCache[] {
    return [this.#namespaces, this.#mirrors, ...Object.values(this.#caches)]
  }

  async #poll(signal: AbortSignal): Promise<void> {
    const { clock, beat } = this.#options
    while (!signal.aborted) {
      await clock.sleep(POLL_MS, signal).catch(() => undefined)
      beat()
      for (const key of this.#runner.keys) {
        if (this.#reconciler.isDue(key)) this.#queues.EtcdMirror.addUnlessRetrying(key)
      }
    }
  }

  /** undefined = those of all. */
  #lookAtMirrorsOf(namespace: string | undefined): void {
    for (const mirror of this.#mirrors.values()) {
      if (namespace === undefined || mirror.metadata.namespace === namespace) this.#queues.EtcdMirror.add(keyOf(mirror))
    }
  }

  #connectionChanged(key: string): void {
    for (const mirror of this.#users.of(key)) this.#queues.EtcdMirror.add(mirror)
  }

  #cache(resource: KubeResource, onChange: (key: string) => void): ResourceCache {
    const { client, clock, logger } = this.#options
    const onAccess = ({ namespace, name }: Place) => this.#lookAtMirrorsOf(namespace ?? name)
    return new ResourceCache({
      client,
      resource,
      places: this.#placesOf(resource),
      clock,
      logger,
      onChange,
      onAccess,
    })
  }

  /** Without rights for the whole cluster the resources of each namespace can be read, and the namespace itself. */
  #placesOf(resource: KubeResource): readonly Place[] {
    const { namespaces } = this.#options
    if (namespaces === undefined || resource === CLUSTER_ETCD_CONNECTIONS) return [{}]
    return namespaces.map((name) => (resource === NAMESPACES ? { name } : { namespace: name }))
  }

  #queue(name: string, reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>): WorkQueue {
    const { concurrency, clock, logger, metrics } = this.#options
    return new WorkQueue({ name, concurrency, reconcile, clock, logger, metrics: metrics.metrics })
  }

  #mirrorReconciler(): MirrorReconciler {
    return new MirrorReconciler({
      mirrors: this.#mirrors,
      templates: new MirrorTemplates(this.#configMaps),
      namespaces: this.#namespaces,
      client: this.#options.client,
      allowsObjects: this.#options.allowKinds.length > 0,
      connectionResources: this.#caches,
      connections: this.#connections,
      runner: this.#runner,
      statuses: this.#statusWriter<EtcdMirrorStatus>(this.#mirrors),
    })
  }

  #connectionReconciler(kind: ConnectionKind): ConnectionReconciler {
    const { operatorNamespace, clock, metrics } = this.#options
    return new ConnectionReconciler({
      kind,
      cache: this.#caches[kind],
      connections: this.#connections,
      compactions: this.#compactions,
      probes: this.#probes,
      secrets: new ConnectionSecrets(this.#secrets, operatorNamespace),
      statuses: this.#statusWriter<ConnectionStatus>(this.#caches[kind]),
      clock,
      metrics: metrics.metrics,
      countMirrors: (key) => this.#users.of(key).size,
      onChange: (key) => this.#connectionChanged(key),
    })
  }

  #statusWriter<Status extends EtcdMirrorStatus | ConnectionStatus>(cache: ResourceCache): StatusWriter<Status> {
    const { client, clock, logger } = this.#options
    const events = new EventRecorder({ client, clock, logger })
    return new StatusWriter<Status>({ client, events, clock, onWritten: (object) => cache.answered(object) })
  }
}
