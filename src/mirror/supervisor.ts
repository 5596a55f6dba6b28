import { Backoff } from '../util/backoff.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { Mirror } from './mirror.ts'

export interface SupervisorOptions {
  readonly clock: Clock
  readonly logger: Logger
}

interface Running {
  readonly stop: AbortController
  /** Never rejects. */
  readonly done: Promise<void>
}

/** Runs mirrors side by side, each until it is stopped: a failing one never stops another. */
export class Supervisor {
  readonly #options: SupervisorOptions
  readonly #running = new Map<string, Running>()
  #closed = false

  constructor(options: SupervisorOptions) {
    this.#options = options
  }

  /** Runs a mirror whose name no running one has. Does nothing once closed. */
  start(mirror: Mirror): void {
    if (this.#closed) return
    const stop = new AbortController()
    this.#running.set(mirror.name, { stop, done: this.#keepRunning(mirror, stop.signal) })
  }

  /** Resolves when the mirror of that name has let its target go; at once when none runs. */
  async stop(name: string): Promise<void> {
    const running = this.#running.get(name)
    running?.stop.abort()
    await running?.done
    if (this.#running.get(name) === running) this.#running.delete(name)
  }

  /** Stops every mirror, for good. */
  async close(): Promise<void> {
    this.#closed = true
    await Promise.all([...this.#running.keys()].map((name) => this.stop(name)))
  }

  async #keepRunning(mirror: Mirror, signal: AbortSignal): Promise<void> {
    const { clock, logger } = this.#options
    const backoff = new Backoff({ firstMs: 1000, maxMs: 30_000 })
    while (!signal.aborted) {
      try {
        await mirror.run(signal)
      } catch (error) {
        // A mirror retries every failure it knows: this one is a defect, and still no reason to stop the others.
        logger.error({ mirror: mirror.name, err: error }, 'mirror failed unexpectedly; starting it again')
        await clock.sleep(backoff.nextMs(), signal).catch(() => undefined)
      }
    }
  }
}
