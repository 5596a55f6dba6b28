import { AsyncLocalStorage } from 'node:async_hooks'
import { Backoff } from '../util/backoff.ts'
import { type Clock, systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { type Logger, silentLogger } from '../util/logger.ts'
import { checkPositive, invalid } from './arguments.ts'

/** What a `Resync` may be told; everything has a default. */
export interface ResyncOptions {
  /** How long a subscriber may take for one try, milliseconds. Default 10,000. */
  readonly ackTimeoutMs?: number
  /** Tries of a round until it leaves a subscriber to the next round. Default 3. */
  readonly attempts?: number
  readonly logger?: Logger
  readonly clock?: Clock
}

/** One try of one subscriber. */
export interface ResyncRound {
  /** Such as `reconnect`. */
  readonly reason: string
  /** From 1 on. */
  readonly attempt: number
  /** Aborts when the try takes too long: another one may begin. */
  readonly signal: AbortSignal
}

/** Reads everything again. Resolving acknowledges it; rejecting asks for another try. */
export type ResyncHandler = (round: ResyncRound) => Promise<void> | void

/** What came of a round for one subscriber. */
export interface ResyncResult {
  readonly subscriber: string
  readonly attempts: number
  /** undefined = acknowledged; else what the last try failed with. */
  readonly error: unknown
}

interface Subscriber {
  readonly name: string
  readonly handler: ResyncHandler
}

/**
 * Has everybody who keeps a copy of data read it again, in the order of registration. Nobody can hold up the others for
 * longer than the timeout of a try, and nobody is left out of the next round for what happened in this one.
 */
export class Resync {
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #ackTimeoutMs: number
  readonly #attempts: number
  readonly #subscribers = new Set<Subscriber>()
  readonly #inRound = new AsyncLocalStorage<true>()
  #current: Promise<readonly ResyncResult[]> | undefined
  #next: Promise<readonly ResyncResult[]> | undefined

  /** Throws `InvalidArgument` for a timeout or a number of attempts that is not above 0. */
  constructor(options: ResyncOptions = {}) {
    const { ackTimeoutMs = 10_000, attempts = 3, logger = silentLogger, clock = systemClock } = options
    checkPositive(ackTimeoutMs, 'ackTimeoutMs')
    checkPositive(attempts, 'attempts')
    this.#ackTimeoutMs = ackTimeoutMs
    this.#attempts = attempts
    this.#logger = logger
    this.#clock = clock
  }

  /** Returns what ends the subscription. Throws `InvalidArgument` when there is a subscriber of that name. */
  register(name: string, handler: ResyncHandler): () => void {
    if ([...this.#subscribers].some((other) => other.name === name)) {
      throw invalid('the name of the subscriber', 'there is one of that name')
    }
    const subscriber = { name, handler }
    this.#subscribers.add(subscriber)
    return () => this.#subscribers.delete(subscriber)
  }

  /**
   * Runs a round and resolves with what came of it; never rejects. A call while one is running gets the round after it,
   * together with all others; a call from inside of a handler asks for that round and resolves at once, with nothing.
   */
  async doResync(reason = 'request'): Promise<readonly ResyncResult[]> {
    if (this.#next === undefined) {
      if (this.#current === undefined) return await this.#start(reason)
      this.#next = this.#after(this.#current, reason)
    }
    return this.#inRound.getStore() ? [] : await this.#next
  }

  async #after(current: Promise<unknown>, reason: string): Promise<readonly ResyncResult[]> {
    await current
    this.#next = undefined
    return await this.#start(reason)
  }

  async #start(reason: string): Promise<readonly ResyncResult[]> {
    // Not before it is known that a round runs: a handler may ask for another one.
    const round = Promise.resolve().then(() => this.#inRound.run(true, () => this.#round(reason)))
    this.#current = round
    try {
      return await round
    } finally {
      if (this.#current === round) this.#current = undefined
    }
  }

  /** Everybody once, then those who failed again: a hanging subscriber does not keep the others waiting for its retries. */
  async #round(reason: string): Promise<readonly ResyncResult[]> {
    const results = new Map<Subscriber, ResyncResult>()
    const backoff = new Backoff({ firstMs: 200, maxMs: 5000 })
    let open = [...this.#subscribers]
    for (let attempt = 1; attempt <= this.#attempts && open.length > 0; attempt++) {
      if (attempt > 1) await this.#clock.sleep(backoff.nextMs(), NEVER)
      for (const subscriber of open) {
        if (!this.#subscribers.has(subscriber)) continue
        const error = await this.#try(subscriber, reason, attempt)
        results.set(subscriber, { subscriber: subscriber.name, attempts: attempt, error })
      }
      open = open.filter((one) => this.#subscribers.has(one) && results.get(one)?.error !== undefined)
    }
    return [...results.values()]
  }

  /** Resolves with what it failed with. */
  async #try({ name, handler }: Subscriber, reason: string, attempt: number): Promise<unknown> {
    const stop = new AbortController()
    const done = new AbortController()
    const late = async () => {
      await this.#clock.sleep(this.#ackTimeoutMs, done.signal)
      const message = `Cannot resync ${name}: no acknowledgement within ${this.#ackTimeoutMs / 1000} s`
      throw new EtcdMirrorError('DeadlineExceeded', message, true)
    }
    try {
      await Promise.race([late(), (async () => handler({ reason, attempt, signal: stop.signal }))()])
      return undefined
    } catch (err) {
      this.#logger.warn({ subscriber: name, reason, attempt, err }, 'a subscriber did not acknowledge the resync')
      stop.abort(err)
      return err ?? new EtcdMirrorError('Internal', `Cannot resync ${name}: rejected without a reason`, true)
    } finally {
      done.abort()
    }
  }
}

const NEVER = new AbortController().signal
