import type { Backoff } from '../util/backoff.ts'
import type { Clock } from '../util/clock.ts'
import type { Follower } from './follower.ts'
import { GuardError } from './guard-error.ts'
import type { MirrorState } from './mirror-state.ts'
import type { MergedBatch, Sink } from './sink.ts'
import { SinkError } from './sink-error.ts'
import type { TargetWriter } from './target-writer.ts'

/** What stands in the target is not what it was left as: another process may have written it. */
const NEEDS_OPENING: ReadonlySet<string> = new Set(['TargetBroken', 'TargetBusy'])

/** A held batch is looked at again when something new came, but not at every event. */
const HELD_PAUSE_MS = 1000
/** Nor so often that a large one costs more than a tenth of the time. */
const HELD_PAUSE_PER_TRY = 10
/** And at the latest then: what was deleted long ago counts no more. */
const HELD_MAX_MS = 60_000

export interface WriteLoopOptions {
  readonly sink: Sink
  readonly state: MirrorState
  readonly follower: Follower
  readonly writer: TargetWriter
  /** Waits between tries to write. */
  readonly backoff: Backoff
  readonly clock: Clock
  readonly beat: () => void
  readonly onHeld: (error: GuardError) => void
}

/** Writes what a follower has, as soon as the target can take it; what cannot be written is merged with what comes. */
export class WriteLoop {
  readonly #options: WriteLoopOptions

  constructor(options: WriteLoopOptions) {
    this.#options = options
  }

  /** Ends only by throwing: what ended the follower, what another try to write cannot cure, or the abort reason. */
  async run(signal: AbortSignal): Promise<never> {
    for (;;) await this.#next(signal)
  }

  async #next(signal: AbortSignal): Promise<void> {
    const { follower, sink, writer, state, backoff, clock } = this.#options
    const seen = follower.changed.version
    // Before the batch is taken: what arrives while the target keeps us waiting goes into the same publish.
    if (follower.hasPending) await sink.ready({ signal })
    const batch = follower.take()
    if (!batch) return follower.changed.wait(seen, signal)
    const taken = { version: follower.changed.version, ms: clock.monotonic() }
    try {
      await writer.write(batch, signal)
      if (batch.changes.length > 0) state.enter('Following')
      backoff.reset()
    } catch (error) {
      signal.throwIfAborted()
      await this.#failed(error, batch, taken, signal)
    }
  }

  async #failed(error: unknown, batch: MergedBatch, taken: Taken, signal: AbortSignal): Promise<void> {
    const { follower, writer } = this.#options
    if (!writer.written) throw error
    const isOutdated = follower.changed.version !== taken.version
    follower.putBack(batch, writer.written)
    if (!(error instanceof GuardError)) return await this.#waitToRetry(error, signal)
    const seen = isOutdated ? taken.version : follower.changed.version
    await this.#hold(error, { version: seen, ms: taken.ms }, signal)
  }

  /** Waits until the batch is worth another look: something came after it was taken, or enough time has passed. */
  async #hold(error: GuardError, taken: Taken, signal: AbortSignal): Promise<void> {
    const { follower, state, beat, clock, onHeld } = this.#options
    beat()
    state.held(error)
    onHeld(error)
    const pauseMs = HELD_PAUSE_PER_TRY * (clock.monotonic() - taken.ms)
    await clock.sleep(Math.min(Math.max(HELD_PAUSE_MS, pauseMs), HELD_MAX_MS), signal)
    await follower.changed.waitAtMost(HELD_MAX_MS, taken.version, { clock, signal })
  }

  /** Waits until writing is worth another try; throws what another try cannot cure. */
  async #waitToRetry(error: unknown, signal: AbortSignal): Promise<void> {
    const { state, beat, clock, backoff } = this.#options
    beat()
    if (!(error instanceof SinkError) || NEEDS_OPENING.has(error.code)) throw error
    state.targetFailed(error)
    await clock.sleep(backoff.nextMs(), signal)
  }
}

/** When a batch was taken. */
interface Taken {
  /** Of what the follower had. */
  readonly version: number
  /** Monotonic. */
  readonly ms: number
}
