import { Notifier } from '../util/notifier.ts'

/** So many items of all sources wait at most to be taken. */
const LIMIT = 16

/**
 * The items of all sources as they come; the order within each source stays. Ends when every source has ended. The first
 * error of a source is thrown at once. Sources are ended by `signal`, which the caller has to abort when it stops.
 */
export async function* mergeIterables<Item>(
  sources: readonly AsyncIterable<Item>[],
  signal: AbortSignal,
): AsyncGenerator<Item> {
  const queue: Item[] = []
  const changed = new Notifier()
  let running = sources.length
  let failure: { readonly error: unknown } | undefined

  const pump = async (source: AsyncIterable<Item>) => {
    try {
      for await (const item of source) {
        queue.push(item)
        changed.notify()
        while (queue.length >= LIMIT) await changed.wait(changed.version, signal)
      }
    } catch (error) {
      failure ??= { error }
    }
    running -= 1
    changed.notify()
  }
  for (const source of sources) void pump(source)

  for (;;) {
    const seen = changed.version
    if (failure) throw failure.error
    const items = queue.splice(0)
    if (items.length > 0) changed.notify()
    yield* items
    if (items.length > 0) continue
    if (running === 0) return
    await changed.wait(seen, signal)
  }
}
