import type { Clock } from '../util/clock.ts'
import type { HealthResult } from './health-registry.ts'

/**
 * Tells whether a loop still moves. Its owner beats at every turn and, while there is nothing to do, on a timer well
 * below the limit it is checked against; waiting for etcd counts as moving, because a restart cannot heal that. Silence
 * is measured on the monotonic clock, from construction on.
 */
export class Heartbeat {
  readonly #clock: Pick<Clock, 'monotonic'>
  #lastBeatMs: number

  constructor(clock: Pick<Clock, 'monotonic'>) {
    this.#clock = clock
    this.#lastBeatMs = clock.monotonic()
  }

  beat(): void {
    this.#lastBeatMs = this.#clock.monotonic()
  }

  /** Fails once the last beat is more than `maxSilentMs` ago; the next beat heals it. */
  check(maxSilentMs: number): HealthResult {
    const silentMs = this.#clock.monotonic() - this.#lastBeatMs
    if (silentMs <= maxSilentMs) return { ok: true, message: 'moving' }
    return { ok: false, message: `no sign of life for ${seconds(silentMs)} s, limit ${seconds(maxSilentMs)} s` }
  }
}

function seconds(ms: number): number {
  return Math.round(ms / 1000)
}
