import type { Position } from '../replication/position.ts'
import type { Backoff } from '../util/backoff.ts'
import type { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { LinkedAbort } from '../util/linked-abort.ts'
import { Notifier } from '../util/notifier.ts'
import type { Admission } from './admission.ts'
import type { Drift } from './drift.ts'
import { Follower } from './follower.ts'
import { Freshness } from './freshness.ts'
import { FreshnessLoop } from './freshness-loop.ts'
import type { GuardError } from './guard-error.ts'
import type { MirrorOptions } from './mirror-options.ts'
import type { MirrorState } from './mirror-state.ts'
import type { ResyncReason } from './resync-needed.ts'
import { SnapshotCopy } from './snapshot-copy.ts'
import { type StartedFrom, StreamProof } from './stream-proof.ts'
import { TargetWriter } from './target-writer.ts'
import { VerifyLoop } from './verify-loop.ts'
import { WriteLoop } from './write-loop.ts'

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
  readonly #writer: TargetWriter
  readonly #reopened = new Notifier()
  /** Of what is written; undefined = a snapshot is still being taken. */
  #follower: Follower | undefined
  #requested: ResyncReason | undefined
  #connections = 0

  constructor(options: FollowPhaseOptions) {
    this.#options = options
    this.#writer = new TargetWriter(options)
  }

  /** Where the target stands; undefined = nothing was written, nor resumed from. */
  get written(): Position | undefined {
    return this.#writer.written
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
    await using follower = this.#open(position, { fragment: false, proof: new StreamProof(this.#options), signal })
    this.#writer.standsAt(position)
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
    const copy = new SnapshotCopy({
      ...this.#options,
      writer: this.#writer,
      open: (from: StartedFrom, fragment) =>
        this.#open(from.start, { fragment, proof: new StreamProof(this.#options, from), signal }),
      freshness: (follower) => this.#freshness(follower),
    })
    return await copy.take(reason, signal)
  }

  #open(position: Position, { fragment, proof, signal }: OpenOptions): Follower {
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
    const options = { ...this.#options, follower, writer: this.#writer, reopened: this.#reopened }
    const freshness = new FreshnessLoop({ ...options, freshness: this.#freshness(follower) })
    const loops = Promise.all([freshness.run(stop.signal), new VerifyLoop(options).run(stop.signal)])
    try {
      return await new WriteLoop(options).run(signal)
    } finally {
      stop.abort()
      await loops
    }
  }
}

interface OpenOptions {
  readonly fragment: boolean
  readonly proof: StreamProof
  readonly signal: AbortSignal
}

function restartReason({ code }: EtcdMirrorError): string {
  if (code === 'PermissionDenied' || code === 'AuthenticationFailed' || code === 'TlsRefused') return 'auth'
  return code === 'Unavailable' || code === 'DeadlineExceeded' || code === 'NoLeader' ? 'unavailable' : 'other'
}
