import type { Clock } from '../util/clock.ts'
import type { Drift } from './drift.ts'
import type { Follower } from './follower.ts'
import type { MirrorState } from './mirror-state.ts'
import type { Sink } from './sink.ts'

export interface VerifyLoopOptions {
  readonly sink: Sink
  readonly follower: Follower
  readonly state: MirrorState
  readonly drift: Drift
  /** 0 = never. */
  readonly verifyEveryMs: number
  readonly clock: Clock
  readonly beat: () => void
}

/**
 * Finds out, once every `verifyEveryMs`, whether the copy still is what was published: somebody may have changed it. With
 * etcd only a server is compared that may have lost events: for others the freshness loop has the proof.
 */
export class VerifyLoop {
  readonly #options: VerifyLoopOptions

  constructor(options: VerifyLoopOptions) {
    this.#options = options
  }

  /** Runs until the signal aborts; then resolves. What differs ends the phase, and the next one repairs it. */
  async run(signal: AbortSignal): Promise<void> {
    const { clock, state, verifyEveryMs } = this.#options
    while (verifyEveryMs > 0 && !signal.aborted) {
      try {
        // The first one after a period: what was just opened or restored was just compared.
        await clock.sleep(verifyEveryMs * (0.75 + Math.random() / 4), signal)
        await this.#verify(signal)
      } catch (error) {
        if (!signal.aborted) state.verifyFailed(error)
      }
    }
  }

  async #verify(signal: AbortSignal): Promise<void> {
    const { sink, follower, state, drift, clock, beat } = this.#options
    const startedMs = clock.now()
    const { sound } = await sink.verify({ signal })
    signal.throwIfAborted()
    beat()
    if (!sound) drift.found('the copy is not what was published: somebody changed it; comparing it with etcd')
    if (!sound || !state.trustsProgress) follower.requestResync('verify')
    else state.verified(startedMs)
  }
}
