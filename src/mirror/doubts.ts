/** A prefix that changes all the time may never show two equal answers: so many are taken for a loss, not for a race. */
const OF_UNTRUSTED = 2
/** A server that loses nothing may be slow: only one that answers again and again without the event is not. */
const OF_TRUSTED = 12
/** A watch that says nothing at all for so long while the store changes is not waited for any longer. */
const SILENCE_MS = 10 * 60_000

/** One time that the store was ahead of what was received, and no proof or event explained it. */
export interface Doubt {
  /** What was received. */
  readonly revision: number
  /** Answers of the watch so far, of any kind. */
  readonly answers: number
  /** Monotonic. */
  readonly atMs: number
  /** The server is of a version that loses no events. */
  readonly isTrusted: boolean
}

/** `silent`: nothing is known to be lost, but another watch is worth a try. */
export type DoubtFinding = 'none' | 'lost' | 'silent'

/**
 * Tells a server that lost an event from one that is late: doubts in a row at the same revision. A frozen stream or a slow
 * link loses nothing, so a trusted server is doubted only for what it answers.
 */
export class Doubts {
  #count = 0
  #last: Doubt | undefined
  #silentSinceMs = 0

  /** The copy was known to equal etcd. */
  clear(): void {
    this.#last = undefined
  }

  add(doubt: Doubt): DoubtFinding {
    const last = this.#last
    this.#last = doubt
    if (last?.revision !== doubt.revision) {
      this.#count = 1
      this.#silentSinceMs = doubt.atMs
      return 'none'
    }
    const isSilent = last.answers === doubt.answers
    if (!isSilent) this.#silentSinceMs = doubt.atMs
    if (!isSilent || !doubt.isTrusted) this.#count += 1
    if (this.#count >= (doubt.isTrusted ? OF_TRUSTED : OF_UNTRUSTED)) return 'lost'
    return doubt.isTrusted && doubt.atMs - this.#silentSinceMs >= SILENCE_MS ? 'silent' : 'none'
  }
}
