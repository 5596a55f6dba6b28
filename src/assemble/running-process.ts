import { once } from 'node:events'
import { isDeepStrictEqual } from 'node:util'
import type { CompactionStatus } from '../compactor/compaction-status.ts'
import type { LoadedConfig } from '../config/load-config.ts'
import type { MirrorConfig } from '../config/process-config.ts'
import type { EtcdClient } from '../etcd/etcd-client.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import { Supervisor } from '../mirror/supervisor.ts'
import { HealthRegistry } from '../observe/health-registry.ts'
import type { MetricsRegistry } from '../observe/metrics-registry.ts'
import { RenderPool } from '../targets/render/render-pool.ts'
import { allOf } from '../util/all-of.ts'
import type { AllowedKind } from '../util/allowed-kind.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import { AcceptedCopies } from './accepted-copies.ts'
import { AutoCompaction } from './auto-compaction.ts'
import { ClientPool } from './client-pool.ts'
import { KubeAccess } from './kube-access.ts'
import { registerMirrorHealth } from './mirror-health.ts'
import { registerMirrorMetrics } from './mirror-metrics.ts'
import { MirrorUnit } from './mirror-unit.ts'

export interface RunningProcessOptions {
  /** Of the program. */
  readonly version: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: MetricsRegistry
  /** Where the way to Kubernetes is looked for. */
  readonly env: Readonly<Record<string, string | undefined>>
  /** What the target `objects` may write. Default: nothing. */
  readonly allowKinds?: readonly AllowedKind[]
}

/** Names of the mirrors that another configuration made a difference to. */
export interface ConfigChange {
  readonly added: readonly string[]
  readonly removed: readonly string[]
  readonly restarted: readonly string[]
  /** Went on as they were. */
  readonly kept: readonly string[]
}

interface RegisteredUnit {
  readonly unit: MirrorUnit
  /** Takes its health checks out. */
  readonly unregister: () => void
}

/** The mirrors of the configuration in use, their etcd clients and their probes; the configuration can be exchanged. */
export class RunningProcess implements Disposable {
  readonly health = new HealthRegistry()
  readonly #options: RunningProcessOptions
  readonly #supervisor: Supervisor
  readonly #copies: AcceptedCopies
  readonly #kube: KubeAccess
  readonly #compaction: AutoCompaction
  readonly #renderPool: RenderPool
  #units = new Map<string, RegisteredUnit>()
  #config: LoadedConfig
  #clients: ClientPool
  #isRunning = false

  /** Connects to nothing yet. Rejects with `AuthError` when a TLS file cannot be used. */
  static async open(config: LoadedConfig, options: RunningProcessOptions): Promise<RunningProcess> {
    const running = new RunningProcess(config, options)
    await running.#clients.reserve(config.process.mirrors.length)
    for (const mirror of config.process.mirrors) running.#add(mirror)
    running.#compaction.use(running.#clients.lease(), config.etcd.autoCompactMs)
    return running
  }

  private constructor(config: LoadedConfig, options: RunningProcessOptions) {
    this.#options = options
    this.#config = config
    this.#supervisor = new Supervisor(options)
    this.#copies = new AcceptedCopies(this.#accepted(), options.logger)
    this.#kube = new KubeAccess({ ...options, metrics: options.metrics.metrics })
    this.#clients = this.#clientPool(config)
    this.#renderPool = new RenderPool({ clock: options.clock })
    this.#compaction = new AutoCompaction({
      ...options,
      metrics: options.metrics.metrics,
      oldestNeeded: () => this.#oldestNeeded(),
    })
    registerMirrorMetrics(options.metrics, () => this.status(), options.version)
  }

  /** The configuration in use. */
  get config(): LoadedConfig {
    return this.#config
  }

  /** Of the first mirror. */
  get client(): EtcdClient | undefined {
    return this.#list()[0]?.client
  }

  status(): readonly MirrorStatus[] {
    return this.#list().map((unit) => unit.status())
  }

  /** undefined = auto-compact is off. */
  compaction(): CompactionStatus | undefined {
    return this.#compaction.status()
  }

  /** Every mirror takes a complete snapshot; what is equal is not rewritten. */
  requestResync(): void {
    for (const { mirror } of this.#list()) mirror.requestResync('request')
  }

  /** Resolves when every copy of the configuration in use now is known to equal etcd. */
  async synced(): Promise<void> {
    await Promise.all(this.#list().map(({ mirror }) => mirror.synced))
  }

  /**
   * Resolves when the hooks of every mirror have heard of what is published now. Rejects with `EtcdMirrorError` HookFailed
   * when one has used up its tries, after all the others were told, and with the abort reason.
   */
  async told(signal: AbortSignal): Promise<void> {
    await allOf(this.#list().map(({ mirror }) => mirror.told(signal)))
  }

  /** Runs until the signal aborts and every mirror has let its target go; `compacts` = with auto-compact, if it is on. */
  async run(signal: AbortSignal, { compacts }: { readonly compacts: boolean }): Promise<void> {
    this.#isRunning = true
    for (const { mirror } of this.#list()) this.#supervisor.start(mirror)
    const compaction = compacts ? this.#compaction.run(signal) : undefined
    if (!signal.aborted) await once(signal, 'abort')
    await Promise.all([this.#supervisor.close(), compaction])
  }

  /**
   * Puts another configuration to use. Mirrors whose part is the same go on undisturbed; changed ones end and begin
   * again where their copy stands; removed ones end, and their roots stay as they are. Another way to etcd restarts all.
   * Rejects with `AuthError`, with nothing changed, when a TLS file cannot be used. One call at a time.
   */
  async apply(config: LoadedConfig): Promise<ConfigChange> {
    const isSameConnection = config.connectionHash === this.#config.connectionHash
    const clients = isSameConnection ? this.#clients : this.#clientPool(config)
    await clients.reserve(config.process.mirrors.length)
    const before = this.#clients
    const change = this.#compare(config, isSameConnection)
    this.#config = config
    this.#clients = clients
    for (const name of [...change.removed, ...change.restarted]) this.#releaseRoot(name)
    this.#copies.accept(this.#accepted())
    await Promise.all([
      ...change.removed.map((name) => this.#remove(name, before)),
      ...config.process.mirrors
        .filter(({ name }) => change.restarted.includes(name))
        .map((mirror) => this.#restart(mirror, before)),
    ])
    for (const mirror of config.process.mirrors) if (change.added.includes(mirror.name)) this.#add(mirror)
    this.#compaction.use(isSameConnection ? undefined : clients.lease(), config.etcd.autoCompactMs)
    if (!isSameConnection) before.close()
    this.#sortUnits()
    return change
  }

  /** Ends every call to etcd and to Kubernetes. */
  [Symbol.dispose](): void {
    void this.#kube.close()
    this.#renderPool.close()
    this.#clients.close()
  }

  #list(): readonly MirrorUnit[] {
    return [...this.#units.values()].map(({ unit }) => unit)
  }

  /** A mirror that has no copy yet needs no history: it takes a snapshot. */
  #oldestNeeded(): number | undefined {
    const applied = this.status().map(({ appliedRevision }) => appliedRevision)
    const known = applied.filter((revision) => revision > 0)
    return known.length === 0 ? undefined : Math.min(...known)
  }

  #compare({ process: { mirrors } }: LoadedConfig, isSameConnection: boolean): ConfigChange {
    const wanted = mirrors.map(({ name }) => name)
    const known = mirrors.filter(({ name }) => this.#units.has(name))
    const isKept = (mirror: MirrorConfig) =>
      isSameConnection && isDeepStrictEqual(this.#units.get(mirror.name)?.unit.config, mirror)
    return {
      added: wanted.filter((name) => !this.#units.has(name)),
      removed: [...this.#units.keys()].filter((name) => !wanted.includes(name)),
      restarted: known.filter((mirror) => !isKept(mirror)).map(({ name }) => name),
      kept: known.filter(isKept).map(({ name }) => name),
    }
  }

  #add(config: MirrorConfig, before?: MirrorUnit): void {
    const { logger, clock, version, metrics, allowKinds = [] } = this.#options
    const renderPool = this.#renderPool
    const unit = new MirrorUnit({
      config,
      etcd: this.#config.etcd,
      client: this.#clients.lease(),
      context: { logger, clock, version, metrics: metrics.metrics, kube: this.#kube, allowKinds, renderPool },
      before,
      onOpened: (root) => this.#copies.opened(root),
    })
    metrics.declareMirror(unit.name)
    this.#units.set(unit.name, { unit, unregister: registerMirrorHealth(this.health, unit) })
    if (this.#isRunning) this.#supervisor.start(unit.mirror)
  }

  /** Its checks stay until the new ones are there: a probe in between must not find less than there was. */
  async #restart(config: MirrorConfig, clients: ClientPool): Promise<void> {
    const before = this.#units.get(config.name)
    await this.#stop(config.name, clients)
    this.#add(config, before?.unit)
    before?.unregister()
  }

  async #remove(name: string, clients: ClientPool): Promise<void> {
    const before = this.#units.get(name)
    await this.#stop(name, clients)
    this.#units.delete(name)
    before?.unregister()
    this.#options.metrics.forgetMirror(name)
  }

  async #stop(name: string, clients: ClientPool): Promise<void> {
    const before = this.#units.get(name)?.unit
    await this.#supervisor.stop(name)
    if (before !== undefined) clients.release(before.client)
  }

  /** What is kept below a root is true for the mirror that has it open. */
  #releaseRoot(name: string): void {
    const root = this.#units.get(name)?.unit.root
    if (root !== undefined) this.#copies.released(root)
  }

  #sortUnits(): void {
    const sorted = this.#config.process.mirrors.flatMap(({ name }) => {
      const entry = this.#units.get(name)
      return entry === undefined ? [] : [[name, entry] as const]
    })
    this.#units = new Map(sorted)
  }

  #accepted() {
    return { acceptedAt: new Date(this.#options.clock.now()).toISOString(), recording: this.#config.recording }
  }

  #clientPool({ etcd }: LoadedConfig): ClientPool {
    const { clock, metrics } = this.#options
    return new ClientPool(etcd, { clock, metrics: metrics.metrics })
  }
}
