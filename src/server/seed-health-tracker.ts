import type { MirrorStatus } from '../mirror/mirror-status.ts'
import type { Clock } from '../util/clock.ts'
import type { SeedHealth, SeedState } from './seed-health.ts'
import { isSourceFailure } from './source-failure.ts'

export interface SeedHealthTrackerOptions {
  readonly version: string
  readonly clock: Pick<Clock, 'now'>
}

interface Observed {
  readonly state: SeedState
  readonly error: string | undefined
}

/**
 * Derives the seed's health from the mirrors' status and remembers when it changed. As in the seed, a change is another
 * state or another error text, and what is known is as old as the last look.
 */
export class SeedHealthTracker {
  readonly #version: string
  readonly #clock: Pick<Clock, 'now'>
  readonly #startedAt: Date
  #observed: Observed = { state: 'Init', error: undefined }
  #lastChange: Date

  constructor({ version, clock }: SeedHealthTrackerOptions) {
    this.#version = version
    this.#clock = clock
    this.#startedAt = new Date(clock.now())
    this.#lastChange = this.#startedAt
  }

  /** Looks at the mirrors now. */
  observe(mirrors: readonly MirrorStatus[]): SeedHealth {
    const now = new Date(this.#clock.now())
    const seen = etcdState(mirrors)
    // Init is only the time before the first answer: a mirror that takes a new snapshot has not lost etcd.
    const next = seen.state === 'Init' ? this.#observed : seen
    if (next.state !== this.#observed.state || next.error !== this.#observed.error) this.#lastChange = now
    this.#observed = next
    return {
      ...next,
      buildVersion: this.#version,
      startedAt: this.#startedAt,
      lastChange: this.#lastChange,
      lastUpdate: now,
    }
  }
}

/** Error when any mirror cannot reach etcd, else Init when any was not there yet, else Ok. */
function etcdState(mirrors: readonly MirrorStatus[]): Observed {
  const lost = mirrors.find(
    ({ sourceConnected, lastError }) =>
      // A failing target says nothing about etcd.
      !sourceConnected && lastError !== undefined && isSourceFailure(lastError),
  )
  // The reason alone: both probes answer everybody, and a message may say more than everybody should know.
  if (lost !== undefined) return { state: 'Error', error: lost.lastError?.reason }
  return {
    state: mirrors.length > 0 && mirrors.every((mirror) => mirror.sourceConnected) ? 'Ok' : 'Init',
    error: undefined,
  }
}
