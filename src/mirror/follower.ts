import type { EtcdRpc } from '../etcd/rpc.ts'
import type { Batch, Progress } from '../replication/batch.ts'
import type { Change } from '../replication/change.ts'
import type { Anchor, Position } from '../replication/position.ts'
import { PositionTracker } from '../replication/position-tracker.ts'
import { type RevisionStream, watchRevisions } from '../replication/revisions.ts'
import type { Clock } from '../util/clock.ts'
import type { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { LinkedAbort } from '../util/linked-abort.ts'
import { Notifier } from '../util/notifier.ts'
import { PendingChanges } from './pending-changes.ts'
import { ResyncNeeded, type ResyncReason } from './resync-needed.ts'
import type { MergedBatch } from './sink.ts'

/** Memory for what waits for a busy target. Beyond, a snapshot later is cheaper than holding it. */
const PENDING_LIMIT_BYTES = 64 * 1024 * 1024

export interface FollowerOptions {
  readonly rpc: EtcdRpc
  readonly prefix: Buffer
  /** Everything up to here is known; without an anchor until `offerAnchor`. */
  readonly position: Position
  /** See `RevisionsOptions.prove`; gets the position that is known then. */
  readonly prove: (position: Position, signal: AbortSignal) => Promise<void>
  /** Whether an answer to a progress request may be believed now. */
  readonly trustsProgress: () => boolean
  readonly fragment: boolean
  readonly onState: (failure: EtcdMirrorError | undefined) => void
  /** What the events mean for the copy. */
  readonly select: (changes: readonly Change[]) => Promise<readonly Change[]>
  readonly onBatch: (batch: Batch) => void
  readonly clock: Clock
  readonly signal: AbortSignal
}

/**
 * Drains the watch of a prefix at all times and merges what arrives until the target takes it: a stream that is not read
 * makes etcd re-read its history under the store's lock, which hurts every client of the cluster.
 */
export class Follower {
  readonly #options: FollowerOptions
  readonly #tracker: PositionTracker
  readonly #pending = new PendingChanges()
  readonly #stream: RevisionStream
  readonly #stop: LinkedAbort
  readonly #changed = new Notifier()
  readonly #pump: Promise<void>
  #taken: Position
  #failure: unknown

  constructor(options: FollowerOptions) {
    this.#options = options
    this.#tracker = new PositionTracker(options.position)
    this.#taken = options.position
    this.#stop = new LinkedAbort(options.signal)
    this.#stream = watchRevisions(options.rpc, options.prefix, options.position.revision, {
      signal: this.#stop.signal,
      clock: options.clock,
      fragment: options.fragment,
      onState: options.onState,
      prove: (proveSignal) => options.prove(this.received, proveSignal),
    })
    this.#pump = this.#drain().catch((error: unknown) => this.fail(error))
  }

  /** Where the events received so far lead to. */
  get received(): Position {
    return this.#tracker.position
  }

  /** Answers of the watch so far, of any kind, whether they were new or not. */
  get answers(): number {
    return this.#stream.answers
  }

  /** Changes whenever something was received, confirmed or failed. */
  get changed(): Notifier {
    return this.#changed
  }

  get hasPending(): boolean {
    return this.#pending.size > 0
  }

  /** What is new since the last `take`; undefined = nothing. Throws what ended the stream for good. */
  take(): MergedBatch | undefined {
    this.throwIfFailed()
    if (this.#pending.size === 0 && this.#taken.revision === this.received.revision) return undefined
    this.#taken = this.received
    return { changes: this.#pending.take(), position: this.received }
  }

  /** The batch could not be written: it is merged with what came in meanwhile. */
  putBack(batch: MergedBatch, written: Position): void {
    this.#taken = written
    this.#pending.putBack(batch.changes)
    this.#limitPending()
    this.#changed.notify()
  }

  requestProgress(): void {
    this.#stream.requestProgress()
  }

  /** It was proven that nothing happened under the prefix up to `revision`. */
  confirm(revision: number): void {
    this.#tracker.progress(revision)
    this.#stream.confirm(this.received.revision)
    this.#changed.notify()
  }

  offerAnchor(anchor: Anchor | undefined): void {
    this.#tracker.offerAnchor(anchor)
  }

  sawRaftTerm(raftTerm: number): void {
    this.#tracker.sawRaftTerm(raftTerm)
  }

  /** Ends the phase: `take` throws a `ResyncNeeded` from now on. The first failure counts. */
  requestResync(reason: ResyncReason): void {
    this.fail(new ResyncNeeded(reason))
  }

  fail(error: unknown): void {
    if (this.#failure !== undefined || this.#stop.signal.aborted) return
    this.#failure = error
    this.#pending.clear()
    this.#stop.abort()
    this.#changed.notify()
  }

  throwIfFailed(): void {
    if (this.#failure !== undefined) throw this.#failure
  }

  /** Ends the watch and waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    this.#stop[Symbol.dispose]()
    await this.#pump
  }

  async #drain(): Promise<void> {
    for await (const item of this.#stream) await this.#receive(item)
  }

  async #receive(item: Batch | Progress): Promise<void> {
    if (item.kind === 'progress') {
      if (!item.requested || this.#options.trustsProgress()) this.confirm(item.revision)
      return
    }
    this.#options.onBatch(item)
    const selected = await this.#options.select(item.changes)
    // At once: what is taken goes with the position that it leads to.
    this.#tracker.apply(item.changes, item.revision)
    this.#pending.add(selected)
    this.#limitPending()
    this.#changed.notify()
  }

  #limitPending(): void {
    if (this.#pending.bytes > PENDING_LIMIT_BYTES) this.requestResync('overflow')
  }
}
