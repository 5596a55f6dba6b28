import { AuthError } from '../etcd/auth-error.ts'
import { CompactedError } from '../etcd/compacted-error.ts'
import type { ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { UnavailableError } from '../etcd/unavailable-error.ts'
import { assertSameStore } from '../replication/identity.ts'
import { StoreResetError } from '../replication/store-reset-error.ts'
import { Backoff } from '../util/backoff.ts'
import type { Clock } from '../util/clock.ts'
import { MAX_TIMER_MS } from '../util/duration.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import { Notifier } from '../util/notifier.ts'
import type { CompactionStatus } from './compaction-status.ts'
import { CompactorState } from './compactor-state.ts'
import { claimCompaction, readStoreView, type StoreView } from './store-view.ts'

/** So many revisions stay whatever the period: a watcher that has just lost its connection goes on from them. */
const KEPT_REVISIONS = 1000
const DENIED_RETRY_MS = 3_600_000

export interface CompactorOptions {
  readonly rpc: EtcdRpc
  /** > 0. */
  readonly periodMs: number
  /** The oldest revision somebody in this process still goes on from; undefined = nobody does. */
  readonly oldestNeeded: () => number | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The store as it was when the period began. */
interface Sample {
  readonly view: StoreView
  /** Monotonic ms at which `view` was known: the store may be further since. */
  readonly atMs: number
}

/**
 * Gives up etcd's history once a period, up to where the store stood one period ago. Any number of processes may do this
 * to one store: each period one of them wins a compare-and-swap on the coordination key.
 */
export class Compactor {
  readonly #options: CompactorOptions
  readonly #state: CompactorState
  readonly #backoff = new Backoff({ firstMs: 1000, maxMs: 60_000 })
  readonly #wake = new Notifier()
  #periodMs: number
  #sample: Sample | undefined
  /** Monotonic ms before which a failed try is not repeated. */
  #retryMs: number | undefined

  constructor(options: CompactorOptions) {
    this.#options = options
    this.#periodMs = options.periodMs
    this.#state = new CompactorState(options)
  }

  status(): CompactionStatus {
    return this.#state.status(this.#periodMs)
  }

  /** Counts from the beginning of the period that runs. */
  setPeriod(periodMs: number): void {
    this.#periodMs = periodMs
    this.#wake.notify()
  }

  /** Runs until the signal aborts. Everything that fails is retried. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        await this.#turn(signal)
        this.#retryMs = undefined
        this.#backoff.reset()
      } catch (error) {
        if (signal.aborted) return
        this.#failed(error)
      }
      await this.#untilDue(signal)
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const view = await readStoreView(this.#options.rpc, signal)
    const before = this.#sample
    if (before === undefined) return this.#begin(view)
    try {
      assertSameStore(before.view.header, view.header)
      await this.#compactOnce(before, view, signal)
    } catch (error) {
      if (!(error instanceof StoreResetError)) throw error
      this.#options.logger.warn({ err: error }, 'another store: the compaction begins with a new period')
      this.#begin(view)
    }
  }

  /** A period begins with what is known of the store now. */
  #begin(view: StoreView): void {
    this.#sample = { view, atMs: this.#options.clock.monotonic() }
    this.#state.waiting()
  }

  async #compactOnce(before: Sample, view: StoreView, signal: AbortSignal): Promise<void> {
    const isOthersTurn = view.hasOtherCompactor || view.keyRevision !== before.view.keyRevision
    const target = this.#target(before, view)
    if (isOthersTurn || target <= view.lastTarget) {
      this.#begin(view)
      if (view.hasOtherCompactor) return this.#state.yielded('compact_rev_key exists')
      return isOthersTurn ? this.#state.lost() : this.#state.skipped(target)
    }
    const claimed = await this.#claim(view, target, signal)
    this.#begin(claimed ?? view)
    if (claimed === undefined) return this.#state.lost()
    this.#state.compacting()
    await this.#compact(target, claimed.header, signal)
  }

  #target(before: Sample, { header }: StoreView): number {
    const needed = this.#options.oldestNeeded() ?? Number.POSITIVE_INFINITY
    return Math.min(before.view.header.revision, header.revision - KEPT_REVISIONS, needed)
  }

  /** The store with our claim; undefined = another runner was faster. A full database takes none, and compacting cures it. */
  async #claim(view: StoreView, target: number, signal: AbortSignal): Promise<StoreView | undefined> {
    try {
      const header = await claimCompaction(this.#options.rpc, view, target, signal)
      return header && { ...view, header, keyRevision: header.revision, lastTarget: target }
    } catch (error) {
      if (!(error instanceof EtcdMirrorError && error.code === 'NoSpace')) throw error
      this.#options.logger.warn({ reason: error.code }, 'compacting without the other runners: the database is full')
      return view
    }
  }

  /** Tries until the period is over: the claim is ours, and nobody else will do it before. */
  async #compact(revision: number, { revision: head }: ResponseHeader, signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const endMs = clock.monotonic() + this.#periodMs
    for (let isRepeated = false; ; isRepeated = true) {
      try {
        const isOurs = (await this.#gaveUpHistory(revision, signal)) || isRepeated
        return isOurs ? this.#state.compacted(revision, head) : this.#state.yielded('somebody compacted further')
      } catch (error) {
        if (!(error instanceof UnavailableError) || clock.monotonic() >= endMs) throw error
        this.#state.failed(error)
        await clock.sleep(this.#backoff.nextMs(), signal)
      }
    }
  }

  /** false = it was gone before; perhaps by a try of ours whose answer was lost. */
  async #gaveUpHistory(revision: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.rpc.unary('compact', { revision, physical: false }, { signal })
      return true
    } catch (error) {
      if (error instanceof CompactedError) return false
      const isFuture = error instanceof EtcdMirrorError && error.code === 'FutureRevision'
      throw isFuture ? new StoreResetError('its revision went back') : error
    }
  }

  #failed(error: unknown): void {
    this.#state.failed(error)
    const isDenied = error instanceof AuthError && error.code === 'PermissionDenied'
    this.#retryMs = this.#options.clock.monotonic() + (isDenied ? DENIED_RETRY_MS : this.#backoff.nextMs())
  }

  get #dueMs(): number {
    const periodEndMs = this.#sample === undefined ? 0 : this.#sample.atMs + this.#periodMs
    return Math.max(periodEndMs, this.#retryMs ?? 0)
  }

  async #untilDue(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    const left = () => this.#dueMs - clock.monotonic()
    for (let leftMs = left(); leftMs > 0 && !signal.aborted; leftMs = left()) {
      const waitMs = Math.min(leftMs, MAX_TIMER_MS)
      await this.#wake.waitAtMost(waitMs, this.#wake.version, { clock, signal }).catch(() => undefined)
    }
  }
}
