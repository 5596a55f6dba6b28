import { Backoff } from '../util/backoff.ts'
import { systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Logger } from '../util/logger.ts'
import type { KeyValue, KeyValueBroker } from './key-value-broker.ts'
import type { DeleteEvent, KeyValueWatcher, PutEvent } from './key-value-watcher.ts'
import { KnownValues } from './known-values.ts'
import type { SyncEvent, SyncResyncEvent } from './sync-event.ts'

export interface SyncSubscriptionOptions {
  readonly name: string
  readonly prefixes: readonly string[]
  readonly broker: KeyValueBroker
  readonly watcher: KeyValueWatcher
  readonly signal: AbortSignal
  readonly logger: Logger
}

type Reason = SyncResyncEvent['reason']

interface Listed {
  readonly revision: number
  readonly values: ReadonlyMap<string, readonly KeyValue[]>
}

/** Ends the watch because somebody asked for a resync. */
const REQUESTED = new Error('a resync was requested')

/** The events of one subscription, single use: state, then changes, without a gap; state again where a gap would be. */
export class SyncSubscription implements AsyncIterable<SyncEvent> {
  readonly #options: SyncSubscriptionOptions
  readonly #known = new KnownValues()
  readonly #backoff = new Backoff({ firstMs: 100, maxMs: 10_000 })
  #requests: PromiseWithResolvers<void>[] = []
  #interrupt = new AbortController()
  /** Why there is nothing more to come. */
  #ended: { readonly error: unknown } | undefined

  constructor(options: SyncSubscriptionOptions) {
    this.#options = options
  }

  /**
   * Has the complete state delivered again. Resolves once the subscriber has taken it, rejects with what ends the
   * subscription.
   */
  async requestResync(): Promise<void> {
    if (this.#ended) throw this.#ended.error
    const request = Promise.withResolvers<void>()
    this.#requests.push(request)
    this.#interrupt.abort(REQUESTED)
    await request.promise
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<SyncEvent> {
    let reason: Reason = 'start'
    try {
      for (;;) {
        const revision: number = yield* this.#resync(reason)
        reason = yield* this.#changes(revision)
      }
    } catch (error) {
      this.#end(error)
      throw error
    } finally {
      this.#end(new EtcdMirrorError('Closed', 'Cannot resync: the subscription has ended', false))
    }
  }

  #end(error: unknown): void {
    this.#ended ??= { error }
    for (const { reject } of this.#requests.splice(0)) reject(error)
  }

  /** Until the subscriber has taken the state; returns its revision. */
  async *#resync(reason: Reason): AsyncGenerator<SyncEvent, number> {
    for (let attempt = 1; ; attempt++) {
      this.#interrupt = new AbortController()
      const answered = this.#requests.length
      const { revision, values } = await this.#list()
      const all = [...values.values()].flat()
      const outcome = new Outcome()
      yield {
        type: 'resync',
        reason,
        revision,
        values,
        obsolete: this.#known.without(all),
        attempt,
        done: outcome.done,
      }
      if (outcome.failure === undefined) {
        this.#known.replaceBy(all)
        this.#backoff.reset()
        for (const { resolve } of this.#requests.splice(0, answered)) resolve()
        return revision
      }
      await this.#failed(outcome.failure.error)
    }
  }

  /** Until changes are missing or somebody asks for a resync; returns why. */
  async *#changes(fromRevision: number): AsyncGenerator<SyncEvent, Reason> {
    const { watcher, prefixes } = this.#options
    const interrupted = this.#interrupt.signal
    const signal = AbortSignal.any([this.#options.signal, interrupted])
    try {
      for await (const event of watcher.watch(prefixes, { fromRevision, signal })) {
        if (event.type === 'resync') return event.reason
        const before = this.#known.get(event.key)
        // What was never there cannot go away.
        if (event.type === 'delete' && before === undefined) continue
        yield* this.#change(event, before?.value, interrupted)
      }
    } catch (error) {
      this.#options.signal.throwIfAborted()
      if (error !== REQUESTED) throw error
    }
    return 'request'
  }

  async *#change(
    { type, key, value, revision }: PutEvent | DeleteEvent,
    previousValue: Buffer | undefined,
    interrupted: AbortSignal,
  ): AsyncGenerator<SyncEvent, void> {
    for (let attempt = 1; ; attempt++) {
      const outcome = new Outcome()
      yield { type, key, value, previousValue, revision, attempt, done: outcome.done }
      if (outcome.failure === undefined) break
      await this.#failed(outcome.failure.error)
      // The complete state says more than this change.
      interrupted.throwIfAborted()
    }
    this.#backoff.reset()
    if (value === undefined) this.#known.delete(key)
    else this.#known.set({ key, value, revision })
  }

  async #failed(err: unknown): Promise<void> {
    const { name, logger, signal } = this.#options
    logger.warn({ subscription: name, err }, 'a subscriber failed; it is told again')
    await systemClock.sleep(this.#backoff.nextMs(), signal)
  }

  /** Tries until etcd answers. */
  async #list(): Promise<Listed> {
    const { signal, name, logger } = this.#options
    for (const backoff = new Backoff(); ; ) {
      try {
        return await this.#listOnce()
      } catch (err) {
        signal.throwIfAborted()
        const isPassing = err instanceof EtcdMirrorError && (err.retryable || err.code === 'Compacted')
        if (!isPassing) throw err
        logger.warn({ subscription: name, err }, 'cannot read the subscribed keys; trying again')
      }
      await systemClock.sleep(backoff.nextMs(), signal)
    }
  }

  async #listOnce(): Promise<Listed> {
    const { broker, prefixes, signal } = this.#options
    const values = new Map<string, readonly KeyValue[]>()
    let revision: number | undefined
    for (const prefix of prefixes) {
      const listing = broker.listValues(prefix, { signal, revision })
      const items: KeyValue[] = []
      for await (const { key, value, revision: at } of listing) items.push({ key, value, revision: at })
      revision ??= await listing.revision()
      values.set(prefix, items)
    }
    return { revision: revision ?? 0, values }
  }
}

/** What a subscriber says of one delivery; what it says later counts no more. */
class Outcome {
  failure: { readonly error: unknown } | undefined

  readonly done = (error?: unknown): void => {
    this.failure = error === undefined || error === null ? undefined : { error }
  }
}
