import type { Clock } from '../../src/util/clock.ts'

interface Sleeper {
  readonly atMs: number
  readonly wake: () => void
}

/** A clock that stands still until a test moves it. */
export class ManualClock implements Clock {
  readonly #sleepers = new Set<Sleeper>()
  #ms = 0

  /** How many wait for the clock. */
  get sleepers(): number {
    return this.#sleepers.size
  }

  now(): number {
    return this.#ms
  }

  monotonic(): number {
    return this.#ms
  }

  async sleep(ms: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const sleeper = { atMs: this.#ms + ms, wake: resolve }
    const onAbort = () => reject(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    this.#sleepers.add(sleeper)
    try {
      await promise
    } finally {
      this.#sleepers.delete(sleeper)
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Lets time pass at once and wakes whoever has waited long enough. */
  advance(ms: number): void {
    this.#ms += ms
    for (const { atMs, wake } of this.#sleepers) if (atMs <= this.#ms) wake()
  }
}
