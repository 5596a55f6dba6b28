import { abortable } from '../util/abortable.ts'
import { type Logger, silentLogger } from '../util/logger.ts'
import { fullKey, invalid } from './arguments.ts'
import type { KeyValueBroker, OperationOptions } from './key-value-broker.ts'
import type { KeyValueWatcher } from './key-value-watcher.ts'
import type { Resync } from './resync.ts'
import type { SyncEvent } from './sync-event.ts'
import { SyncSubscription } from './sync-subscription.ts'

/** Where a `KeyValueSync` reads, and who may ask it to read again. */
export interface KeyValueSyncOptions {
  readonly broker: KeyValueBroker
  /** Of the same prefix as the broker. */
  readonly watcher: KeyValueWatcher
  /** Each subscription becomes a subscriber of it, and acknowledges once the state was taken. */
  readonly resync?: Resync
  readonly logger?: Logger
}

/** A subscription: an async iterable of its events, single use. `break` ends it. */
export interface KeyValueSubscription extends AsyncIterable<SyncEvent> {
  /** Has the complete state delivered again; resolves once the subscriber has taken it. */
  requestResync(): Promise<void>
}

const NEVER = new AbortController().signal

/**
 * Keeps programs in step with prefixes: first the complete state, then each change with the value that the program knew
 * before, and the complete state again whenever changes are missing or somebody asks for it. An event that the program
 * could not handle comes again. It holds the state of what is subscribed in memory.
 */
export class KeyValueSync {
  readonly #options: KeyValueSyncOptions
  readonly #names = new Set<string>()

  constructor(options: KeyValueSyncOptions) {
    this.#options = options
  }

  /**
   * Subscribes to every key that starts with one of `prefixes`. The subscription begins when it is iterated, outlives
   * whatever happens to etcd, and ends with the signal's reason, `Closed`, or an error that another try cannot cure. Throws
   * `InvalidArgument` when the name is in use or there is no prefix, and `KeyTooLarge`.
   */
  subscribe(
    name: string,
    prefixes: readonly string[],
    options: Pick<OperationOptions, 'signal'> = {},
  ): KeyValueSubscription {
    if (this.#names.has(name)) throw invalid('the name of the subscription', 'there is one of that name')
    if (prefixes.length === 0) throw invalid('prefixes', 'there are none')
    for (const prefix of prefixes) fullKey(Buffer.alloc(0), prefix, { allowEmpty: true })
    const { broker, watcher, resync, logger = silentLogger } = this.#options
    const { signal = NEVER } = options
    const subscription = new SyncSubscription({ name, prefixes, broker, watcher, signal, logger })
    const handler = async (round: { readonly signal: AbortSignal }) =>
      await abortable(subscription.requestResync(), round.signal)
    const unregister = resync?.register(name, handler)
    this.#names.add(name)
    const end = () => {
      this.#names.delete(name)
      unregister?.()
    }
    return {
      requestResync: () => subscription.requestResync(),
      async *[Symbol.asyncIterator]() {
        try {
          yield* subscription
        } finally {
          end()
        }
      },
    }
  }
}
