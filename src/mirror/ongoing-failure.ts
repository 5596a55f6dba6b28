import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { MirrorFailure } from './mirror-status.ts'
import { toMirrorFailure } from './to-mirror-failure.ts'

export interface OngoingFailureOptions {
  readonly name: string
  readonly clock: Clock
  readonly logger: Logger
  /** What is logged when it ends. Default: nothing is. */
  readonly recovered?: string
}

/** One thing that fails now and is tried again, or does not: what it fails by, and since when. */
export class OngoingFailure {
  readonly #options: OngoingFailureOptions
  #current: MirrorFailure | undefined

  constructor(options: OngoingFailureOptions) {
    this.#options = options
  }

  /** undefined = it does not fail. */
  get current(): MirrorFailure | undefined {
    return this.#current
  }

  /** It failed, once more perhaps. Returns whether it did not fail by that reason before. */
  note(error: unknown): boolean {
    const before = this.#current
    const atMs = this.#options.clock.now()
    this.#current = toMirrorFailure(error, { atMs, sinceMs: before?.sinceMs ?? atMs })
    return before?.reason !== this.#current.reason
  }

  /** It works. */
  end(): void {
    const { name, clock, logger, recovered } = this.#options
    const ended = this.#current
    this.#current = undefined
    if (!ended || recovered === undefined) return
    const afterSeconds = Math.round((clock.now() - ended.sinceMs) / 1000)
    logger.info({ mirror: name, reason: ended.reason, afterSeconds }, recovered)
  }
}
