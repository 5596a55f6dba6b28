import { Notifier } from '../util/notifier.ts'

export interface ReadAheadOptions<Item> {
  readonly signal: AbortSignal
  /** Cost of one item; reading goes on while less than `limit` waits to be taken. */
  readonly sizeOf: (item: Item) => number
  readonly limit: number
}

/**
 * Pulls from `source` ahead of a slower consumer, within a budget. An error of the source reaches the consumer after the
 * items before it. When the consumer stops, so does the source.
 */
export async function* readAhead<Item>(
  source: AsyncIterable<Item>,
  { signal, sizeOf, limit }: ReadAheadOptions<Item>,
): AsyncGenerator<Item> {
  const queue: Item[] = []
  const changed = new Notifier()
  const stop = new AbortController()
  const either = AbortSignal.any([signal, stop.signal])
  let waiting = 0
  let ended = false
  let failure: { readonly error: unknown } | undefined

  const reader = (async () => {
    try {
      for await (const item of source) {
        queue.push(item)
        waiting += sizeOf(item)
        changed.notify()
        while (waiting >= limit) await changed.wait(changed.version, either)
        either.throwIfAborted()
      }
    } catch (error) {
      failure = { error }
    }
    ended = true
    changed.notify()
  })()

  try {
    for (;;) {
      const item = queue.shift()
      if (item !== undefined) {
        waiting -= sizeOf(item)
        changed.notify()
        yield item
      } else if (ended) break
      else await changed.wait(changed.version, signal)
    }
    if (failure) throw failure.error
  } finally {
    stop.abort()
    await reader
  }
}
