import type { Clock } from './clock.ts'
import { LinkedAbort } from './linked-abort.ts'

export interface Deadline {
  readonly clock: Clock
  /** From now on. */
  readonly ms: number
  /** What the task's signal aborts with then. */
  readonly late: () => Error
}

/** Runs a task under a signal that aborts as `signal` does, or when the task takes too long. Ends as the task does. */
export async function withDeadline<Result>(
  task: (signal: AbortSignal) => Promise<Result>,
  signal: AbortSignal,
  { clock, ms, late }: Deadline,
): Promise<Result> {
  using limit = new LinkedAbort(signal)
  clock.sleep(ms, limit.signal).then(
    () => limit.abort(late()),
    () => undefined,
  )
  try {
    return await task(limit.signal)
  } finally {
    limit.abort()
  }
}
