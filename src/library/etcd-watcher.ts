import { CompactedError } from '../etcd/compacted-error.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { UnavailableError } from '../etcd/unavailable-error.ts'
import type { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { checkPositive, checkRevision, fullKey, invalid } from './arguments.ts'
import { FlatIterator } from './flat-iterator.ts'
import type { Bytes } from './key-value-broker.ts'
import type { KeyValueWatch, KeyValueWatcher, WatchEvent, WatchOptions } from './key-value-watcher.ts'
import { mergeIterables } from './merge-iterables.ts'
import type { Operations } from './operations.ts'
import { persist } from './persist.ts'
import { watchPrefix } from './prefix-watch.ts'
import type { ServerTrust } from './server-trust.ts'
import type { SharedWatches } from './shared-watches.ts'
import { WatchPosition } from './watch-position.ts'

export interface WatcherContext {
  readonly operations: Operations
  readonly watches: SharedWatches
  readonly trust: ServerTrust
}

/** The watcher on an `EtcdConnection`. */
export class EtcdWatcher implements KeyValueWatcher {
  readonly #context: WatcherContext
  readonly #prefix: Buffer

  constructor(context: WatcherContext, prefix: Bytes) {
    this.#context = context
    this.#prefix = Buffer.from(fullKey(Buffer.alloc(0), prefix, { allowEmpty: true }))
  }

  watch(prefixes: Bytes | readonly Bytes[], options: WatchOptions = {}): KeyValueWatch {
    const list = typeof prefixes === 'string' || prefixes instanceof Uint8Array ? [prefixes] : prefixes
    const full = list.map((prefix) => Buffer.from(fullKey(this.#prefix, prefix, { allowEmpty: true })))
    if (full.length === 0) throw invalid('prefixes', 'there are none')
    if (options.fromRevision !== undefined) checkRevision(options.fromRevision, 1)
    checkPositive(options.timeoutMs, 'timeoutMs')
    this.#context.operations.closed.throwIfAborted()
    return new EtcdWatch(this.#context, withoutCovered(full), this.#prefix.length, options)
  }
}

/** What is below another prefix as well is watched with that one. */
function withoutCovered(prefixes: readonly Buffer[]): readonly Buffer[] {
  const kept: Buffer[] = []
  for (const prefix of prefixes.toSorted(Buffer.compare)) {
    const before = kept.at(-1)
    if (before === undefined || !prefix.subarray(0, before.length).equals(before)) kept.push(prefix)
  }
  return kept
}

interface Start {
  readonly position: WatchPosition
  /** `fromRevision` was compacted already. */
  readonly compacted: boolean
}

function isAway(error: EtcdMirrorError): boolean {
  return error instanceof UnavailableError
}

class EtcdWatch implements KeyValueWatch {
  readonly #context: WatcherContext
  readonly #prefixes: readonly Buffer[]
  readonly #hiddenBytes: number
  readonly #options: WatchOptions
  readonly #starts: Promise<readonly Start[]>

  constructor(context: WatcherContext, prefixes: readonly Buffer[], hiddenBytes: number, options: WatchOptions) {
    this.#context = context
    this.#prefixes = prefixes
    this.#hiddenBytes = hiddenBytes
    this.#options = options
    this.#starts = this.#readStarts()
    // Whoever iterates or waits is told; nobody may.
    this.#starts.catch(() => {})
  }

  async ready(): Promise<number> {
    const starts = await this.#starts
    return Math.min(...starts.map(({ position }) => position.revision))
  }

  [Symbol.asyncIterator](): AsyncIterator<WatchEvent> {
    const signal = this.#context.operations.signalOf(this.#options.signal)
    return new FlatIterator(this.#batches(signal), signal)
  }

  async *#batches(outer: AbortSignal): AsyncGenerator<readonly WatchEvent[]> {
    const starts = await this.#starts
    const stop = new AbortController()
    const signal = AbortSignal.any([outer, stop.signal])
    const sources = starts.map((start, index) => this.#events(start, this.#prefixes[index] as Buffer, signal))
    const [only] = sources
    try {
      yield* sources.length === 1 && only !== undefined ? only : mergeIterables(sources, signal)
    } finally {
      stop.abort()
    }
  }

  /** All at the revision of the first, so that one transaction is seen by all of them or by none. */
  async #readStarts(): Promise<readonly Start[]> {
    const starts: Start[] = []
    for (const prefix of this.#prefixes) {
      const { fromRevision, signal, onInterrupted } = this.#options
      const revision = fromRevision ?? starts[0]?.position.revision
      const read = () => this.#readStart(prefix, revision)
      // Where it begins is known: nothing is lost by waiting for etcd, as for the rest of the watch.
      const persisted = () => persist(read, this.#context.operations.signalOf(signal), onInterrupted, isAway)
      starts.push(await (fromRevision === undefined ? read() : persisted()))
    }
    return starts
  }

  async #readStart(prefix: Buffer, revision: number | undefined): Promise<Start> {
    const { operations } = this.#context
    const call = operations.callOptions(this.#options)
    try {
      const at = revision === undefined ? call : { ...call, revision }
      return { position: await WatchPosition.read(operations.rpc, prefix, at), compacted: false }
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error
      return { position: await WatchPosition.read(operations.rpc, prefix, call), compacted: true }
    }
  }

  async *#events(
    { position, compacted }: Start,
    prefix: Buffer,
    signal: AbortSignal,
  ): AsyncGenerator<readonly WatchEvent[]> {
    const { operations, watches, trust } = this.#context
    const hiddenBytes = this.#hiddenBytes
    const { revision } = position
    if (compacted) yield [{ type: 'resync', reason: 'compacted', prefix: prefix.subarray(hiddenBytes), revision }]
    const rpc: EtcdRpc = {
      unary: (method, request, options) => operations.unary(method, request, options),
      watch: (options) => watches.watch(options),
    }
    const { onInterrupted } = this.#options
    yield* watchPrefix(position, { rpc, signal, prefix, hiddenBytes, trust, onInterrupted })
  }
}
