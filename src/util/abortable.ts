/**
 * Waits for `promise`, but no longer than until `signal` aborts: then rejects with the signal's reason. What the promise
 * stands for goes on.
 */
export async function abortable<Value>(promise: Promise<Value>, signal: AbortSignal): Promise<Value> {
  const { promise: aborted, reject } = Promise.withResolvers<never>()
  const onAbort = () => reject(signal.reason)
  if (signal.aborted) onAbort()
  else signal.addEventListener('abort', onAbort, { once: true })
  try {
    // Listens to the promise in any case: its failure must not go unhandled because we no longer wait.
    return await Promise.race([aborted, promise])
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}
