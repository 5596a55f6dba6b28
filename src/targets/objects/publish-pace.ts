import type { Clock } from '../../util/clock.ts'

/** Everybody who watches an object gets all of it with every write: what comes meanwhile is published as one. */
const MIN_PAUSE_MS = 20
const MAX_PAUSE_MS = 1000

/** After a write, leaves the API server as much time as that took. The first one after quiet goes at once. */
export class PublishPace {
  readonly #clock: Clock
  #freeAtMs = Number.NEGATIVE_INFINITY

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Resolves when a write may go; rejects with the abort reason. */
  async ready(signal: AbortSignal): Promise<void> {
    const waitMs = this.#freeAtMs - this.#clock.monotonic()
    if (waitMs > 0) await this.#clock.sleep(waitMs, signal)
  }

  async timed<Result>(write: () => Promise<Result>): Promise<Result> {
    const startedMs = this.#clock.monotonic()
    try {
      return await write()
    } finally {
      const endedMs = this.#clock.monotonic()
      this.#freeAtMs = endedMs + Math.min(Math.max(endedMs - startedMs, MIN_PAUSE_MS), MAX_PAUSE_MS)
    }
  }
}
