import { setTimeout as delay } from 'node:timers/promises'

/** Time, injected so that tests can move it. */
export interface Clock {
  /** Wall clock, milliseconds since 1970; only for showing to people. */
  now(): number
  /** Milliseconds that never go back; for measuring and deadlines. */
  monotonic(): number
  /** Resolves after `ms`; rejects with the signal's reason as soon as it aborts. */
  sleep(ms: number, signal: AbortSignal): Promise<void>
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  async sleep(ms, signal) {
    signal.throwIfAborted()
    try {
      await delay(ms, undefined, { signal })
    } catch (error) {
      signal.throwIfAborted()
      throw error
    }
  },
}
