import { Backoff } from '../util/backoff.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import { untilAborted } from '../util/until-aborted.ts'

export interface WorkQueueOptions {
  /** Of the queue and its controller, in metrics and logs. */
  readonly name: string
  /** Most keys that are worked on at once. */
  readonly concurrency: number
  /**
   * Brings about what is wanted for a key, from the state that it reads itself. Resolves with after how many
   * milliseconds the key is to be looked at again; undefined = when it is added. What it throws is retried.
   */
  readonly reconcile: (key: string, signal: AbortSignal) => Promise<number | undefined>
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

const FIRST_RETRY_MS = 200
const MAX_RETRY_MS = 60_000

/**
 * Keys that need work: each at most once in the queue, never twice at a time, first come first served, again with backoff
 * after a failure. What is added while its key is worked on is worked on afterwards.
 */
export class WorkQueue {
  readonly #options: WorkQueueOptions
  /** Since when they wait, monotonic milliseconds. */
  readonly #queued = new Map<string, number>()
  readonly #active = new Map<string, Promise<void>>()
  readonly #again = new Set<string>()
  readonly #later = new Map<string, { readonly atMs: number; readonly cancel: AbortController }>()
  readonly #backoffs = new Map<string, Backoff>()
  #signal: AbortSignal | undefined

  constructor(options: WorkQueueOptions) {
    this.#options = options
    const { name, metrics } = options
    for (const result of ['success', 'error']) {
      metrics.add('controller_runtime_reconcile_total', { controller: name, result }, 0)
    }
    metrics.add('controller_runtime_reconcile_errors_total', { controller: name }, 0)
    metrics.add('workqueue_adds_total', { name }, 0)
    metrics.add('workqueue_retries_total', { name }, 0)
    this.#report()
  }

  /** How many keys wait. */
  get depth(): number {
    return this.#queued.size
  }

  add(key: string): void {
    const { clock, metrics, name } = this.#options
    if (this.#signal?.aborted) return
    this.#cancelLater(key)
    if (this.#active.has(key)) this.#again.add(key)
    else if (!this.#queued.has(key)) {
      metrics.add('workqueue_adds_total', { name })
      this.#queued.set(key, clock.monotonic())
      this.#pump()
    }
  }

  /** As `add`, but leaves what has failed to its backoff: for who looks again and again whether there is something to do. */
  addUnlessRetrying(key: string): void {
    if (!this.#backoffs.has(key)) this.add(key)
  }

  /** Adds the key after so many milliseconds, unless that happens before anyway. */
  addAfter(key: string, ms: number): void {
    const { clock } = this.#options
    const atMs = clock.monotonic() + ms
    const before = this.#later.get(key)
    if (this.#queued.has(key) || this.#signal?.aborted || (before && before.atMs <= atMs)) return
    before?.cancel.abort()
    const cancel = new AbortController()
    this.#later.set(key, { atMs, cancel })
    clock.sleep(ms, cancel.signal).then(
      () => this.add(key),
      () => undefined,
    )
  }

  /** Works until the signal aborts, and resolves once nothing is worked on any more. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    this.#pump()
    await untilAborted(signal)
    for (const key of [...this.#later.keys()]) this.#cancelLater(key)
    this.#queued.clear()
    await Promise.all(this.#active.values())
    this.#report()
  }

  #pump(): void {
    const signal = this.#signal
    if (signal !== undefined && !signal.aborted) {
      for (const [key, sinceMs] of this.#queued) {
        if (this.#active.size >= this.#options.concurrency) break
        this.#queued.delete(key)
        this.#active.set(key, this.#work(key, sinceMs, signal))
      }
    }
    this.#report()
  }

  async #work(key: string, sinceMs: number, signal: AbortSignal): Promise<void> {
    const { name, clock, metrics, reconcile } = this.#options
    const startedMs = clock.monotonic()
    metrics.observe('workqueue_queue_duration_seconds', { name }, (startedMs - sinceMs) / 1000)
    try {
      const againMs = await reconcile(key, signal)
      this.#backoffs.delete(key)
      if (againMs !== undefined) this.addAfter(key, againMs)
      metrics.add('controller_runtime_reconcile_total', { controller: name, result: 'success' })
    } catch (error) {
      if (!signal.aborted) this.#retry(key, error)
    }
    const seconds = (clock.monotonic() - startedMs) / 1000
    metrics.observe('workqueue_work_duration_seconds', { name }, seconds)
    metrics.observe('controller_runtime_reconcile_time_seconds', { controller: name }, seconds)
    this.#active.delete(key)
    if (this.#again.delete(key)) this.add(key)
    this.#pump()
  }

  #retry(key: string, error: unknown): void {
    const { name, logger, metrics } = this.#options
    const backoff = this.#backoffs.get(key) ?? new Backoff({ firstMs: FIRST_RETRY_MS, maxMs: MAX_RETRY_MS })
    this.#backoffs.set(key, backoff)
    metrics.add('workqueue_retries_total', { name })
    metrics.add('controller_runtime_reconcile_total', { controller: name, result: 'error' })
    metrics.add('controller_runtime_reconcile_errors_total', { controller: name })
    logger.warn({ controller: name, key, err: error, attempt: backoff.attempt }, 'reconcile failed; trying again')
    this.addAfter(key, backoff.nextMs())
  }

  #cancelLater(key: string): void {
    this.#later.get(key)?.cancel.abort()
    this.#later.delete(key)
  }

  #report(): void {
    const { name, metrics, concurrency } = this.#options
    metrics.set('workqueue_depth', { name }, this.#queued.size)
    metrics.set('controller_runtime_active_workers', { controller: name }, this.#active.size)
    metrics.set('controller_runtime_max_concurrent_reconciles', { controller: name }, concurrency)
  }
}
