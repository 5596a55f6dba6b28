import type { EtcdClient } from '../../src/etcd/etcd-client.ts'
import { Mirror } from '../../src/mirror/mirror.ts'
import type { MirrorStatus } from '../../src/mirror/mirror-status.ts'
import { silentLogger } from '../../src/util/logger.ts'
import { noMetrics } from '../../src/util/metrics.ts'
import { JumpingClock } from './jumping-clock.ts'
import { MemorySink } from './memory-sink.ts'
import { openClient } from './store-writer.ts'

/** A third of it is how often it proves that its copy is fresh. */
const MAX_STALENESS_MS = 6000
const HOUR_MS = 3_600_000
const UNLIMITED = { maxKeys: 1e9, maxBytes: 1e12, maxValueBytes: 1e9 }

export interface EngineOptions {
  /** Of etcd.conf. */
  readonly conf: Readonly<Record<string, unknown>>
  readonly prefix: string
  readonly losesEvents: boolean
}

/** The engine in this process, behind the same network as the command, with a target and a clock that faults can reach. */
export class EngineUnderTest implements AsyncDisposable {
  readonly sink = new MemorySink()
  readonly clock = new JumpingClock()
  readonly #client: EtcdClient
  readonly #mirror: Mirror
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  static async start(options: EngineOptions): Promise<EngineUnderTest> {
    return new EngineUnderTest(await openClient(options.conf), options)
  }

  private constructor(client: EtcdClient, { prefix, losesEvents }: EngineOptions) {
    this.#client = client
    this.#mirror = new Mirror({
      ...{ name: 'engine', target: 'memory', prefix: Buffer.from(prefix), rpc: client, sink: this.sink },
      ...{ clock: this.clock, logger: silentLogger, metrics: noMetrics, beat: () => {} },
      ...{ maxStalenessMs: MAX_STALENESS_MS, verifyEveryMs: losesEvents ? 5000 : HOUR_MS, resyncAfterReconnect: false },
      keys: { include: ['**'], exclude: [], leased: 'Mirror' },
      limits: UNLIMITED,
      // Everything is deleted on purpose.
      safety: { refuseEmpty: false, maxDeletePercent: 100, allowDeleteUpTo: 0 },
    })
    this.#running = this.#mirror.run(this.#stop.signal)
  }

  status(): MirrorStatus {
    return this.#mirror.status()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#client.close()
  }
}
