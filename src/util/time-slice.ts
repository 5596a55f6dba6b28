import { setImmediate as nextTurn } from 'node:timers/promises'

const SLICE_MS = 10

/** Long work in slices, between which everything else in the process gets its turn. */
export class TimeSlice {
  #startedMs = performance.now()

  /** Whether the work has gone on for long enough: then call `next`. */
  get isOver(): boolean {
    return performance.now() - this.#startedMs >= SLICE_MS
  }

  /** Resolves when everything that waited has had its turn. */
  async next(): Promise<void> {
    await nextTurn()
    this.#startedMs = performance.now()
  }
}
