import type { Clock } from '../../src/util/clock.ts'

interface Sleeper {
  readonly dueMs: number
  readonly wake: () => void
}

/** The time of a machine that is set, and put to sleep: wall time goes any way, monotonic time only forward. */
export class JumpingClock implements Clock {
  #wallOffsetMs = 0
  #monotonicOffsetMs = 0
  readonly #sleepers = new Set<Sleeper>()

  now(): number {
    return Date.now() + this.#wallOffsetMs
  }

  monotonic(): number {
    return performance.now() + this.#monotonicOffsetMs
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void) => {
        clearTimeout(timer)
        this.#sleepers.delete(sleeper)
        signal.removeEventListener('abort', onAbort)
        settle()
      }
      const onAbort = () => end(() => reject(signal.reason))
      const sleeper = { dueMs: this.monotonic() + ms, wake: () => end(resolve) }
      const timer = setTimeout(sleeper.wake, ms)
      this.#sleepers.add(sleeper)
      if (signal.aborted) onAbort()
      else signal.addEventListener('abort', onAbort)
    })
  }

  /** Somebody sets the wall clock. */
  setWall(byMs: number): void {
    this.#wallOffsetMs += byMs
  }

  /** The machine slept for so long: what was due meanwhile is due now. */
  suspend(ms: number): void {
    this.#monotonicOffsetMs += ms
    this.#wallOffsetMs += ms
    const now = this.monotonic()
    for (const sleeper of [...this.#sleepers]) if (sleeper.dueMs <= now) sleeper.wake()
  }
}
