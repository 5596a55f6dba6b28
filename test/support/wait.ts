import { setTimeout as sleep } from 'node:timers/promises'

export interface EventuallyOptions {
  /** Default 150,000: less than a test may take, for the sake of a good message. */
  readonly timeoutMs?: number
  /** Default 25. */
  readonly intervalMs?: number
}

/** Calls `check` until it no longer throws and resolves with its result; after the timeout rejects with its last error. */
export async function eventually<T>(
  check: () => T | Promise<T>,
  { timeoutMs = 150_000, intervalMs = 25 }: EventuallyOptions = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs
  for (;;) {
    try {
      return await check()
    } catch (error) {
      if (performance.now() > deadline) throw error
    }
    await sleep(intervalMs)
  }
}
