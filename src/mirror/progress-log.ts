import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { SnapshotProgress } from './mirror-status.ts'

export interface ProgressLogOptions {
  readonly name: string
  readonly clock: Clock
  readonly logger: Logger
}

/** A sync that is done by then says nothing but that it is done. */
const EVERY_MS = 5000

/** Counts the keys of one snapshot, and logs how far it got every five seconds. */
export class ProgressLog {
  readonly #options: ProgressLogOptions
  readonly #total: number
  readonly #startedMs: number
  #loggedMs: number
  #read = 0

  constructor(options: ProgressLogOptions, total: number) {
    this.#options = options
    this.#total = total
    this.#startedMs = options.clock.monotonic()
    this.#loggedMs = this.#startedMs
  }

  get progress(): SnapshotProgress {
    // Keys may be written while it is read page by page.
    return { read: this.#read, total: Math.max(this.#read, this.#total) }
  }

  read(keys: number): void {
    this.#read += keys
    const now = this.#options.clock.monotonic()
    if (now - this.#loggedMs < EVERY_MS) return
    this.#loggedMs = now
    const { read, total } = this.progress
    const seconds = Math.round((now - this.#startedMs) / 1000)
    this.#options.logger.info({ mirror: this.#options.name, read, total, seconds }, 'reading a snapshot')
  }
}
