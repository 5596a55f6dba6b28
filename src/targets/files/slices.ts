import { setImmediate as nextTurn } from 'node:timers/promises'

/** While somebody waits for the work. */
export const FOREGROUND_SLICE_MS = 4
/** While nobody does: a publish that comes meanwhile waits for one slice at a time. */
export const BACKGROUND_SLICE_MS = 1

/**
 * Runs synchronous work to its end in slices of some milliseconds, so that probes and streams are served in between.
 * Between slices it throws the signal's reason once that aborts; the generator's `finally` blocks run.
 */
export async function inSlices<Result>(
  work: Generator<void, Result>,
  sliceMs: number,
  signal: AbortSignal,
): Promise<Result> {
  try {
    for (;;) {
      signal.throwIfAborted()
      const end = performance.now() + sliceMs
      do {
        const step = work.next()
        if (step.done) return step.value
      } while (performance.now() < end)
      await nextTurn()
    }
  } finally {
    work.return(undefined as never)
  }
}
