import type { Clock } from '../util/clock.ts'

/** So many events of one object at once, and one more each time this has passed: as client-go's spam filter has it. */
const BURST = 25
const REFILL_MS = 300_000

interface Spent {
  /** Monotonic: when the object may have a whole burst again. */
  readonly wholeMs: number
  readonly leftOut: number
}

/** How many events an object may have: one whose conditions flap would fill the API server with them. */
export class EventLimit {
  readonly #clock: Clock
  /** The object that was looked at longest ago is first. */
  readonly #spent = new Map<string, Spent>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** Takes one. Returns how many were left out before it; undefined = it is left out, too. */
  take(key: string): number | undefined {
    const nowMs = this.#clock.monotonic()
    this.#forget(nowMs)
    const { wholeMs, leftOut } = this.#spent.get(key) ?? { wholeMs: nowMs, leftOut: 0 }
    const nextMs = Math.max(wholeMs, nowMs) + REFILL_MS
    const isAllowed = nextMs <= nowMs + BURST * REFILL_MS
    this.#spent.delete(key)
    this.#spent.set(key, isAllowed ? { wholeMs: nextMs, leftOut: 0 } : { wholeMs, leftOut: leftOut + 1 })
    return isAllowed ? leftOut : undefined
  }

  /** Objects that were quiet for long enough cost no memory. */
  #forget(nowMs: number): void {
    for (const [key, { wholeMs }] of this.#spent) {
      if (wholeMs > nowMs) return
      this.#spent.delete(key)
    }
  }
}
