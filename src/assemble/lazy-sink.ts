import type { Sink } from '../mirror/sink.ts'

/** A sink whose code is loaded when it is opened first: what only it needs costs other mirrors nothing. */
export function lazySink(load: () => Promise<Sink>): Required<Sink> {
  let loaded: Sink | undefined
  const opened = (): Sink => {
    if (loaded === undefined) throw new Error('Cannot use the target: it was never opened')
    return loaded
  }
  return {
    async open(options) {
      loaded ??= await load()
      return await loaded.open(options)
    },
    restore: async (source, options) => await opened().restore(source, options),
    ready: async (options) => await opened().ready(options),
    apply: async (batch, options) => await opened().apply(batch, options),
    advance: async (position, options) => await opened().advance(position, options),
    verify: async (options) => await opened().verify(options),
    fault: () => loaded?.fault?.(),
    objects: () => loaded?.objects?.(),
    told: async (options) => await loaded?.told?.(options),
    close: async () => await loaded?.close(),
  }
}
