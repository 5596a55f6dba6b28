import { CompactedError } from '../etcd/compacted-error.ts'
import type { Position } from '../replication/position.ts'
import { type Snapshot, takeSnapshot } from '../replication/snapshot.ts'
import type { Backoff } from '../util/backoff.ts'
import type { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { LinkedAbort } from '../util/linked-abort.ts'
import { Notifier } from '../util/notifier.ts'
import type { Admission } from './admission.ts'
import { catchUpLimit } from './catch-up-limit.ts'
import { comparablePosition } from './comparable.ts'
import { Comparison, type Drift } from './drift.ts'
import { Follower } from './follower.ts'
import { Freshness } from './freshness.ts'
import { FreshnessLoop } from './freshness-loop.ts'
import { GuardError } from './guard-error.ts'
import type { MirrorOptions } from './mirror-options.ts'
import type { MirrorState } from './mirror-state.ts'
import { ReadSoFar } from './read-so-far.ts'
import type { ResyncReason } from './resync-needed.ts'
import type { Difference, MergedBatch, SnapshotSource, Totals, WriteResult } from './sink.ts'
import { SinkError } from './sink-error.ts'
import { overlaidSource, pinnedSource, type SourceContext } from './snapshot-sources.ts'
import { StreamProof } from './stream-proof.ts'
import { VerifyLoop } from './verify-loop.ts'

/** From this mean size of a value on, cutting large answers costs less than holding them. */
const FRAGMENT_MEAN_BYTES = 4096

/** What stands in the target is not what it was left as: another process may have written it. */
const NEEDS_OPENING: ReadonlySet<string> = new Set(['TargetBroken', 'TargetBusy'])

/** These want to know what differs from the copy, not only to be as new as etcd. */
const COMPARING: ReadonlySet<ResyncReason> = new Set(['verify', 'request'])

/** A held batch is looked at again when something new came, but not at every event. */
const HELD_PAUSE_MS = 1000
/** Nor so often that a large one costs more than a tenth of the time. */
const HELD_PAUSE_PER_TRY = 10
/** And at the latest then: what was deleted long ago counts no more. */
const HELD_MAX_MS = 60_000
/** A target may be slow, held or full: then the next check of the freshness waits again. */
const WRITE_WAIT_MS = 20_000

export interface FollowPhaseOptions extends MirrorOptions {
  readonly state: MirrorState
  readonly admission: Admission
  readonly drift: Drift
  /** What the copy was last known to equal; undefined = not known. */
  readonly applied: Position | undefined
  /** Waits between tries to write. */
  readonly backoff: Backoff
  /** The copy was known to equal etcd. */
  readonly onEqual: () => void
  readonly onHeld: (error: GuardError) => void
}

/** One stretch of following without a gap: from a position, or from a snapshot. Single use; ends only by throwing. */
export class FollowPhase {
  readonly #options: FollowPhaseOptions
  readonly #wrote = new Notifier()
  readonly #reopened = new Notifier()
  /** Of what is written; undefined = a snapshot is still being taken. */
  #follower: Follower | undefined
  #requested: ResyncReason | undefined
  #written: Position | undefined
  /** What the copy is compared with a snapshot for. */
  #base: Position | undefined
  #connections = 0

  constructor(options: FollowPhaseOptions) {
    this.#options = options
    this.#base = options.applied
  }

  /** Where the target stands; undefined = nothing was written, nor resumed from. */
  get written(): Position | undefined {
    return this.#written
  }

  /** What was asked for while a snapshot was being taken, and has to come after it. */
  get requested(): ResyncReason | undefined {
    return this.#requested
  }

  /** Ends the phase with `ResyncNeeded`, but not before a snapshot that is being taken is written. */
  requestResync(reason: ResyncReason): void {
    if (this.#follower) this.#follower.requestResync(reason)
    else this.#requested ??= reason
  }

  /** Goes on behind `position`, once the store is proven to be the one it was taken from. */
  async resume(position: Position, signal: AbortSignal): Promise<never> {
    this.#options.state.enter('Connecting')
    const proof = new StreamProof(this.#options)
    await using follower = this.#open(position, false, proof, signal)
    this.#written = position
    return await this.#run(follower, signal)
  }

  /** Takes a snapshot, with the watch open from its revision on, and follows. */
  async restart(reason: ResyncReason, signal: AbortSignal): Promise<never> {
    this.#options.state.enter('Snapshotting')
    await using follower = await this.#copy(reason, signal)
    return await this.#run(follower, signal)
  }

  /** A step of its own: what it holds would stay in memory for as long as the phase follows. */
  async #copy(reason: ResyncReason, signal: AbortSignal): Promise<Follower> {
    const { rpc, prefix, state, clock, admission } = this.#options
    const at = { wallMs: clock.now(), monotonicMs: clock.monotonic() }
    const revision = COMPARING.has(reason) ? await this.#rebase(signal) : undefined
    const snapshot = await takeSnapshot(rpc, prefix, { signal, revision })
    state.observed(snapshot.revision)
    state.snapshotBegins(snapshot.count)
    admission.admitCount(snapshot)
    const start = this.#startOf(snapshot)
    const progress = new ReadSoFar(prefix)
    const fragment = meanSize(snapshot) >= FRAGMENT_MEAN_BYTES
    const follower = this.#open(start, fragment, new StreamProof(this.#options, { start, progress }), signal)
    try {
      await this.#restore({ snapshot, start, progress }, follower, signal)
    } catch (error) {
      await follower[Symbol.asyncDispose]()
      throw error
    }
    this.#copied(reason, snapshot, at)
    return follower
  }

  #copied(reason: ResyncReason, { revision, header }: Snapshot, at: { wallMs: number; monotonicMs: number }): void {
    const { state, clock, metrics, name, onEqual } = this.#options
    const seconds = (clock.monotonic() - at.monotonicMs) / 1000
    metrics.add('etcd_mirror_resync_total', { mirror: name, reason })
    metrics.observe('etcd_mirror_snapshot_duration_seconds', { mirror: name }, seconds)
    state.verified(at.wallMs)
    if (revision !== header.revision) return
    state.knownEqual(at)
    onEqual()
  }

  /** The revision at which a snapshot shows exactly what the copy should hold; undefined = etcd has none any more. */
  async #rebase(signal: AbortSignal): Promise<number | undefined> {
    const { rpc, prefix, state } = this.#options
    if (this.#base === undefined) return undefined
    const options = { signal, maxBehind: catchUpLimit(this.#base), mayLoseEvents: !state.trustsProgress }
    const position = await comparablePosition(rpc, prefix, this.#base, options)
    this.#base = position ?? this.#base
    return position?.revision
  }

  #startOf({ header, revision, count }: Snapshot): Position {
    const { epoch, clusterId, revision: publishedRevision } = this.#options.state.lineage
    const otherCluster = header.clusterId !== 0n && clusterId !== 0n && clusterId !== header.clusterId
    const isReset = this.#options.state.resetPending || otherCluster || revision < publishedRevision
    const { clusterId: id, raftTerm } = header
    return { epoch: isReset ? epoch + 1 : epoch, clusterId: id, revision, raftTerm, keyCount: count, anchor: undefined }
  }

  #open(position: Position, fragment: boolean, proof: StreamProof, signal: AbortSignal): Follower {
    const { rpc, prefix, clock, metrics, name, state, beat, admission } = this.#options
    return new Follower({
      rpc,
      prefix,
      position,
      prove: (current, proveSignal) => proof.prove(current, proveSignal),
      fragment,
      clock,
      signal,
      trustsProgress: () => state.trustsProgress,
      select: (changes) => admission.select(changes),
      onState: (failure) => {
        if (failure) proof.interrupted()
        this.#onState(failure)
      },
      onBatch: ({ changes, revision }) => {
        beat()
        state.observed(revision)
        const puts = changes.filter(({ type }) => type === 'put').length
        metrics.add('etcd_mirror_events_total', { mirror: name, type: 'put' }, puts)
        metrics.add('etcd_mirror_events_total', { mirror: name, type: 'delete' }, changes.length - puts)
      },
    })
  }

  #onState(failure: EtcdMirrorError | undefined): void {
    const { state, metrics, name, resyncAfterReconnect } = this.#options
    if (failure) {
      metrics.add('etcd_mirror_watch_restarts_total', { mirror: name, reason: restartReason(failure) })
      state.sourceFailed(failure)
      return
    }
    state.connected()
    this.#reopened.notify()
    this.#connections += 1
    // A snapshot that is being taken is complete whatever becomes of the watch beside it.
    if (this.#connections > 1 && resyncAfterReconnect) this.#follower?.requestResync('reconnect')
  }

  async #restore(
    { snapshot, start, progress }: StartedSnapshot,
    follower: Follower,
    signal: AbortSignal,
  ): Promise<void> {
    const { rpc, prefix, logger, name } = this.#options
    const context = { rpc, prefix, follower, signal }
    try {
      const selecting = { ...context, select: this.#selector() }
      return await this.#restoreFrom(pinnedSource(snapshot, start, progress, selecting), signal)
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error
      logger.info(
        { mirror: name },
        'the snapshot was compacted away while it was read; reading it page by page under the watch',
      )
    }
    this.#options.state.snapshotBegins(snapshot.count)
    await this.#restoreFrom(overlaidSource({ ...context, select: this.#selector() }, this.#freshness(follower)), signal)
  }

  #selector(): SourceContext['select'] {
    const { admission, beat, state } = this.#options
    const select = admission.pageSelector()
    return async (page) => {
      beat()
      state.snapshotRead(page.length)
      return await select(page)
    }
  }

  async #restoreFrom(source: SnapshotSource, signal: AbortSignal): Promise<void> {
    const { sink, admission, drift } = this.#options
    let position: Position | undefined
    const comparison = new Comparison(this.#base)
    const onDifference = this.#base && ((difference: Difference) => comparison.add(difference))
    const finish = async () => {
      const end = await source.finish()
      position = end.position
      admission.admitValues(end.changes)
      return end
    }
    const admit = (next: Totals) => admission.admitSnapshot(next, position?.revision ?? 0)
    await this.#timed(
      () => sink.restore({ pages: source.pages, finish }, { signal, admit, onDifference }),
      () => position,
    )
    if (position) drift.repaired(comparison, position)
  }

  #freshness(follower: Follower): Freshness {
    const { rpc, prefix, clock, state } = this.#options
    return new Freshness({ rpc, prefix, follower, clock, trustsProgress: () => state.trustsProgress })
  }

  /** Writes what arrives, beside the loops that find out how fresh and how sound the copy is. */
  async #run(follower: Follower, signal: AbortSignal): Promise<never> {
    this.#options.state.enter('Following')
    this.#follower = follower
    if (this.#requested) follower.requestResync(this.#requested)
    using stop = new LinkedAbort(signal)
    const freshness = new FreshnessLoop({
      ...this.#options,
      follower,
      freshness: this.#freshness(follower),
      reopened: this.#reopened,
      writtenUpTo: (revision, waitSignal) => this.#writtenUpTo(revision, waitSignal),
    })
    const verification = new VerifyLoop({ ...this.#options, follower })
    const loops = Promise.all([freshness.run(stop.signal), verification.run(stop.signal)])
    try {
      for (;;) await this.#writeNext(follower, signal)
    } finally {
      stop.abort()
      await loops
    }
  }

  async #writeNext(follower: Follower, signal: AbortSignal): Promise<void> {
    const seen = follower.changed.version
    // Before the batch is taken: what arrives while the target keeps us waiting goes into the same publish.
    if (follower.hasPending) await this.#options.sink.ready({ signal })
    const batch = follower.take()
    if (!batch) return follower.changed.wait(seen, signal)
    const taken = { version: follower.changed.version, ms: this.#options.clock.monotonic() }
    try {
      await this.#write(batch, signal)
      this.#options.backoff.reset()
    } catch (error) {
      signal.throwIfAborted()
      if (!this.#written) throw error
      const isOutdated = follower.changed.version !== taken.version
      follower.putBack(batch, this.#written)
      if (error instanceof GuardError) {
        const seen = isOutdated ? taken.version : follower.changed.version
        await this.#hold(error, { follower, seen, sinceMs: taken.ms }, signal)
      } else await this.#afterFailure(error, signal)
    }
  }

  /** Waits until the batch is worth another look: something came after `seen`, or enough time has passed. */
  async #hold(
    error: GuardError,
    { follower, seen, sinceMs }: { readonly follower: Follower; readonly seen: number; readonly sinceMs: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { state, beat, clock, onHeld } = this.#options
    beat()
    state.held(error)
    onHeld(error)
    const pauseMs = HELD_PAUSE_PER_TRY * (clock.monotonic() - sinceMs)
    await clock.sleep(Math.min(Math.max(HELD_PAUSE_MS, pauseMs), HELD_MAX_MS), signal)
    await follower.changed.waitAtMost(HELD_MAX_MS, seen, { clock, signal })
  }

  /** Waits until writing is worth another try; throws what another try cannot cure. */
  async #afterFailure(error: unknown, signal: AbortSignal): Promise<void> {
    const { state, beat, clock, backoff } = this.#options
    beat()
    if (!(error instanceof SinkError) || NEEDS_OPENING.has(error.code)) throw error
    state.targetFailed(error)
    await clock.sleep(backoff.nextMs(), signal)
  }

  async #write(batch: MergedBatch, signal: AbortSignal): Promise<void> {
    const { sink, state, admission } = this.#options
    if (batch.changes.length > 0) {
      admission.admitValues(batch.changes)
      const admit = (next: Totals) => admission.admitBatch(next, batch)
      await this.#timed(
        () => sink.apply(batch, { signal, admit }),
        () => batch.position,
      )
      state.enter('Following')
      return
    }
    await sink.advance(batch.position, { signal })
    state.advanced(batch.position)
    this.#nowAt(batch.position)
  }

  async #timed(write: () => Promise<WriteResult>, at: () => Position | undefined): Promise<void> {
    const { clock, state, admission } = this.#options
    const startedMs = clock.monotonic()
    const result = await write()
    const position = at()
    if (!position) throw new Error('the target resolved without reading the snapshot to its end')
    admission.published(result.totals)
    state.wrote(result, position, (clock.monotonic() - startedMs) / 1000)
    this.#nowAt(position)
  }

  #nowAt(position: Position): void {
    this.#written = position
    this.#wrote.notify()
  }

  async #writtenUpTo(revision: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options
    const endMs = clock.monotonic() + WRITE_WAIT_MS
    while (!this.#isWritten(revision)) {
      const leftMs = endMs - clock.monotonic()
      if (leftMs <= 0) return false
      await this.#wrote.waitAtMost(leftMs, this.#wrote.version, { clock, signal })
    }
    return true
  }

  #isWritten(revision: number): boolean {
    return (this.#written?.revision ?? 0) >= revision
  }
}

interface StartedSnapshot {
  readonly snapshot: Snapshot
  /** Where the watch starts. */
  readonly start: Position
  readonly progress: ReadSoFar
}

function meanSize({ firstPage }: Snapshot): number {
  const bytes = firstPage.reduce((sum, { value }) => sum + value.length, 0)
  return firstPage.length === 0 ? 0 : bytes / firstPage.length
}

function restartReason({ code }: EtcdMirrorError): string {
  if (code === 'PermissionDenied' || code === 'AuthenticationFailed' || code === 'TlsRefused') return 'auth'
  return code === 'Unavailable' || code === 'DeadlineExceeded' || code === 'NoLeader' ? 'unavailable' : 'other'
}
