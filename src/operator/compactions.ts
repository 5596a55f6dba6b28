import { Compactor } from '../compactor/compactor.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import type { SharedConnection } from './shared-connection.ts'

export interface CompactionsOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** The oldest revision that a mirror of the connection goes on from; undefined = none does. */
  readonly oldestNeeded: (connection: SharedConnection) => number | undefined
}

interface Running {
  readonly connection: SharedConnection
  readonly compactor: Compactor
  readonly stop: AbortController
  readonly ended: Promise<void>
}

/** The periodic compaction of every connection that asks for it. Calls for one key come one at a time. */
export class Compactions {
  readonly #options: CompactionsOptions
  readonly #running = new Map<string, Running>()

  constructor(options: CompactionsOptions) {
    this.#options = options
  }

  /** The revision that was compacted to last, by this process; undefined = none was. */
  compactedRevision(key: string): number | undefined {
    return this.#running.get(key)?.compactor.status().compactedRevision || undefined
  }

  /** From now on by this connection, once a period; `connection` undefined or `periodMs` 0 = not any more. */
  async use(key: string, connection: SharedConnection | undefined, periodMs: number): Promise<void> {
    const before = this.#running.get(key)
    if (before !== undefined && before.connection === connection && periodMs > 0) {
      return before.compactor.setPeriod(periodMs)
    }
    await this.#stop(key)
    if (connection === undefined || periodMs === 0) return
    const { clock, logger, metrics, oldestNeeded } = this.#options
    const rpc = await connection.lease()
    const needed = () => oldestNeeded(connection)
    const compactor = new Compactor({ rpc, periodMs, oldestNeeded: needed, clock, logger, metrics })
    const stop = new AbortController()
    const ended = compactor.run(stop.signal).finally(() => connection.release(rpc))
    this.#running.set(key, { connection, compactor, stop, ended })
  }

  /** Ends all of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#running.keys()].map((key) => this.#stop(key)))
  }

  async #stop(key: string): Promise<void> {
    const running = this.#running.get(key)
    this.#running.delete(key)
    running?.stop.abort()
    await running?.ended
  }
}
