import { isDeepStrictEqual } from 'node:util'
import { targetPlace } from '../config/target-options.ts'
import type { EtcdClient } from '../etcd/etcd-client.ts'
import { Mirror } from '../mirror/mirror.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import type { Sink } from '../mirror/sink.ts'
import { Supervisor } from '../mirror/supervisor.ts'
import type { MetricsRegistry } from '../observe/metrics-registry.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { SinkRequest } from './operator-sink.ts'
import type { SharedConnection } from './shared-connection.ts'
import { sharedHistograms } from './shared-histograms.ts'

export interface MirrorRunnerOptions {
  readonly createSink: (request: SinkRequest) => Sink
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: MetricsRegistry
  /** A mirror has moved. */
  readonly beat: () => void
}

export interface WantedMirror extends SinkRequest {
  readonly connection: SharedConnection
}

interface Running {
  readonly wanted: WantedMirror
  readonly client: EtcdClient
  readonly mirror: Mirror
  /** What it was last asked a resync by. */
  resync: string | undefined
}

/** The mirrors that run, each under its key `namespace/name`. Calls for one key come one at a time. */
export class MirrorRunner {
  readonly #options: MirrorRunnerOptions
  readonly #supervisor: Supervisor
  readonly #running = new Map<string, Running>()

  constructor(options: MirrorRunnerOptions) {
    this.#options = options
    this.#supervisor = new Supervisor(options)
  }

  get keys(): Iterable<string> {
    return this.#running.keys()
  }

  /** undefined = it does not run. */
  status(key: string): MirrorStatus | undefined {
    return this.#running.get(key)?.mirror.status()
  }

  statuses(): readonly MirrorStatus[] {
    return [...this.#running.values()].map(({ mirror }) => mirror.status())
  }

  /** The oldest revision that a mirror of this connection goes on from; undefined = none does. */
  oldestNeeded(connection: SharedConnection): number | undefined {
    const revisions = [...this.#running.values()]
      .filter(({ wanted }) => wanted.connection === connection)
      .map(({ mirror }) => mirror.status().appliedRevision)
      .filter((revision) => revision > 0)
    return revisions.length > 0 ? Math.min(...revisions) : undefined
  }

  /** Once for each new value, however often it is told. */
  requestResync(key: string, value: string): void {
    const running = this.#running.get(key)
    if (running === undefined || running.resync === value) return
    running.resync = value
    running.mirror.requestResync('request')
  }

  /**
   * Has a mirror run as it is wanted; one that does already goes on undisturbed. Rejects with `AuthError` when the
   * credentials of its connection cannot be used.
   */
  async ensure(key: string, wanted: WantedMirror): Promise<void> {
    const before = this.#running.get(key)
    if (before && isSame(before.wanted, wanted)) return
    await this.#end(key)
    const client = await this.#lease(key, wanted)
    const mirror = this.#mirrorOf(key, wanted, client)
    this.#options.metrics.declareMirror(key, { sparse: true })
    this.#running.set(key, { wanted, client, mirror, resync: undefined })
    this.#supervisor.start(mirror)
  }

  /** Resolves when the mirror has let its target go. What stands there stays. */
  async stop(key: string): Promise<void> {
    if (!this.#running.has(key)) return
    await this.#end(key)
    this.#options.metrics.forgetMirror(key)
  }

  /** Stops every mirror, for good; resolves when they have let their targets go. What is called meanwhile starts none. */
  async halt(): Promise<void> {
    await this.#supervisor.close()
  }

  /** Halts, and lets everything else go. */
  async close(): Promise<void> {
    await this.halt()
    await Promise.all([...this.#running.keys()].map((key) => this.stop(key)))
  }

  /** A mirror that cannot run the way it is to runs no more. */
  async #lease(key: string, { connection }: WantedMirror): Promise<EtcdClient> {
    try {
      return await connection.lease()
    } catch (error) {
      this.#options.metrics.forgetMirror(key)
      throw error
    }
  }

  async #end(key: string): Promise<void> {
    const running = this.#running.get(key)
    if (running === undefined) return
    await this.#supervisor.stop(key)
    running.wanted.connection.release(running.client)
    this.#running.delete(key)
  }

  #mirrorOf(key: string, wanted: WantedMirror, client: EtcdClient): Mirror {
    const { createSink, clock, logger, metrics, beat } = this.#options
    const { config, connection } = wanted
    const { prefix, maxStalenessMs, verifyEveryMs, keys, limits, safety } = config
    return new Mirror({
      name: key,
      prefix,
      target: targetPlace(config.target),
      maxStalenessMs,
      verifyEveryMs,
      keys,
      limits,
      safety,
      resyncAfterReconnect: connection.etcd.resyncAfterReconnect,
      rpc: client,
      sink: createSink(wanted),
      clock,
      logger,
      metrics: sharedHistograms(metrics.metrics),
      beat,
    })
  }
}

function isSame(a: WantedMirror, b: WantedMirror): boolean {
  return a.connection === b.connection && a.owner.uid === b.owner.uid && isDeepStrictEqual(a.config, b.config)
}
