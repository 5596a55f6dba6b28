import type { Position } from '../replication/position.ts'
import { isCompleteVersion } from '../replication/server-version.ts'
import type { Clock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import type { GuardError } from './guard-error.ts'
import type { VisibleCopy } from './guards.ts'
import type { MirrorFailure, MirrorPhase, MirrorStatus } from './mirror-status.ts'
import { OngoingFailure } from './ongoing-failure.ts'
import { ProgressLog } from './progress-log.ts'
import type { KeyErrors, OpenedSink, WriteResult } from './sink.ts'
import type { SinkError } from './sink-error.ts'
import { toMirrorFailure } from './to-mirror-failure.ts'

/** What a target says of itself. */
export interface TargetReport {
  readonly fault?: SinkError | undefined
  readonly objects?: number | undefined
}

export interface MirrorStateOptions {
  readonly name: string
  readonly prefix: string
  readonly target: string
  readonly maxStalenessMs: number
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

const NO_ERRORS: KeyErrors = { count: 0, examples: [] }

/** Every fact a mirror knows about itself, in one place: each change reaches status, metrics and log together. */
export class MirrorState {
  readonly #options: MirrorStateOptions
  readonly #startedMs: number
  #phase: MirrorPhase = 'Opening'
  #published: { revision: number; epoch: number } | undefined
  #appliedRevision = 0
  #observedRevision = 0
  #keys = 0
  #keyErrors = NO_ERRORS
  #lastPublishedMs: number | undefined
  #progress: ProgressLog | undefined
  /** Of the copy that consumers see, when they are known. */
  #copyKeys: number | undefined
  #isSameConfig = false
  #connected = false
  #serverVersion: string | undefined
  #clusterId = 0n
  #resetPending = false
  #equal: { readonly wallMs: number; readonly monotonicMs: number } | undefined
  #verifiedMs: number | undefined
  readonly #source: OngoingFailure
  readonly #target: OngoingFailure
  /** What failed then was opening the target, not writing it. */
  #failedToOpen = false
  /** A guard keeps the copy as it is. */
  readonly #hold: OngoingFailure
  readonly #seed: OngoingFailure
  readonly #hooks = new Map<string, OngoingFailure>()

  constructor(options: MirrorStateOptions) {
    this.#options = options
    this.#startedMs = options.clock.monotonic()
    this.#source = new OngoingFailure({ ...options, recovered: 'etcd answers again' })
    this.#target = new OngoingFailure({ ...options, recovered: 'the target can be written again' })
    this.#hold = new OngoingFailure({ ...options, recovered: 'no guard holds the copy any more' })
    this.#seed = new OngoingFailure(options)
  }

  /** What the target itself says: `fault`, what is wrong with the copy now, and how many objects it is made of. */
  status({ fault, objects }: TargetReport = {}): MirrorStatus {
    const { name, prefix, target, maxStalenessMs, clock } = this.#options
    return {
      name,
      prefix,
      target,
      phase: this.#shownPhase(),
      published: this.#published !== undefined,
      publishedRevision: this.#published?.revision ?? 0,
      seeded: this.isSeeded,
      epoch: this.#published?.epoch ?? 0,
      appliedRevision: this.#appliedRevision,
      observedRevision: this.#observedRevision,
      keys: this.#keys,
      keyErrors: this.#keyErrors,
      objects,
      lastPublishedMs: this.#lastPublishedMs,
      snapshot: this.#phase === 'Snapshotting' ? this.#progress?.progress : undefined,
      sourceConnected: this.#connected,
      serverVersion: this.#serverVersion,
      lastKnownEqualMs: this.#equal?.wallMs,
      stalenessMs: this.#equal && clock.monotonic() - this.#equal.monotonicMs,
      maxStalenessMs,
      lastVerifiedMs: this.#verifiedMs,
      lastError: this.#firstFailure(fault),
      sourceError: this.#source.current,
      runningMs: clock.monotonic() - this.#startedMs,
    }
  }

  #firstFailure(fault: SinkError | undefined): MirrorFailure | undefined {
    if (this.#target.current) return this.#target.current
    const nowMs = this.#options.clock.now()
    if (fault) return toMirrorFailure(fault, { atMs: nowMs, sinceMs: nowMs })
    const failures = [this.#hold, this.#seed, this.#source, ...this.#hooks.values()]
    return failures.find(({ current }) => current !== undefined)?.current
  }

  #shownPhase(): MirrorPhase {
    if (this.#hold.current && this.#phase !== 'Stopped') return 'Held'
    // While the watch is not open nothing is followed, although the mirror is at it.
    return this.#phase === 'Following' && !this.#connected ? 'Connecting' : this.#phase
  }

  /** What a new position must not contradict: the store and the revision that consumers have seen. */
  get lineage(): { readonly epoch: number; readonly revision: number; readonly clusterId: bigint } {
    return { epoch: 0, revision: 0, ...this.#published, clusterId: this.#clusterId }
  }

  /** Whether consumers see anything. */
  get published(): boolean {
    return this.#published !== undefined
  }

  /** A reset was proven and no copy of the new store is published yet. */
  get resetPending(): boolean {
    return this.#resetPending
  }

  /** What consumers see is the fallback. */
  get isSeeded(): boolean {
    return this.#published?.revision === 0
  }

  /** What consumers see of etcd; undefined = nothing, or only the fallback. */
  get copy(): VisibleCopy | undefined {
    if (!this.#published || this.isSeeded) return undefined
    const revision = Math.max(this.#published.revision, this.#appliedRevision)
    return { keys: this.#copyKeys, revision, isSameConfig: this.#isSameConfig }
  }

  get trustsProgress(): boolean {
    return isCompleteVersion(this.#serverVersion)
  }

  enter(phase: MirrorPhase): void {
    this.#phase = phase
    // That of the last snapshot says nothing of the next one.
    this.#progress = undefined
  }

  /** A snapshot of so many keys is about to be read. */
  snapshotBegins(total: number): void {
    this.#progress = new ProgressLog(this.#options, total)
  }

  /** So many keys more were read. */
  snapshotRead(keys: number): void {
    this.#progress?.read(keys)
  }

  opened({ published, keyErrors, position, totals, isSameConfig }: OpenedSink): void {
    this.#copyKeys = totals?.keys
    this.#isSameConfig = isSameConfig
    this.#published = published
    this.#keyErrors = keyErrors
    this.#keys = totals?.keys ?? this.#keys
    this.#appliedRevision = position?.revision ?? 0
    this.#clusterId = position?.clusterId ?? 0n
    // Whether it can be written as well shows only when it is: until then it is no recovery.
    if (this.#failedToOpen) this.#target.end()
    this.#report()
  }

  /** The target shows `revision` now, or showed an equal state before. */
  wrote(result: WriteResult, position: Position, seconds: number): void {
    const { name, metrics, logger } = this.#options
    const first = this.copy === undefined
    // An equal state is not published again: what consumers see keeps the revision it was published under.
    if (result.published || first) this.#published = { revision: position.revision, epoch: position.epoch }
    if (result.published) this.#lastPublishedMs = this.#options.clock.now()
    this.#appliedRevision = position.revision
    this.#clusterId = position.clusterId
    this.#resetPending = false
    this.#copyKeys = result.totals.keys
    this.#isSameConfig = true
    this.#keys = result.totals.keys
    this.#reportKeyErrors(result.keyErrors)
    this.#target.end()
    this.#hold.end()
    this.#seed.end()
    this.observed(position.revision)
    metrics.add('etcd_mirror_sync_total', { mirror: name, result: result.published ? 'success' : 'noop' })
    metrics.observe('etcd_mirror_publish_duration_seconds', { mirror: name }, seconds)
    this.#report()
    const { written, removed } = result
    const fields = { mirror: name, revision: position.revision, keys: this.#keys, written, removed }
    if (first) logger.info(fields, 'first copy published')
    else if (result.published) logger.debug(fields, 'published')
  }

  /** The fallback is visible; what keeps the mirror from etcd is told as before. */
  seeded({ totals, keyErrors }: WriteResult): void {
    const { name, logger } = this.#options
    this.#published = { revision: 0, epoch: 0 }
    this.#seed.end()
    this.#keys = totals.keys
    this.#reportKeyErrors(keyErrors)
    this.#report()
    logger.warn({ mirror: name, keys: totals.keys }, 'nothing of etcd could be published: the fallback of seedFrom is')
  }

  /** The fallback cannot be published; retried. Each new reason is logged once. */
  seedFailed(error: unknown): void {
    this.#retried(this.#seed, error, 'cannot publish the fallback; retrying')
  }

  /** Nothing changed under the prefix up to the position. */
  advanced(position: Position): void {
    this.#clusterId = position.clusterId
    this.#appliedRevision = position.revision
    this.#target.end()
    this.observed(position.revision)
    this.#report()
  }

  observed(revision: number): void {
    this.#observedRevision = Math.max(this.#observedRevision, revision)
    this.#options.metrics.set('etcd_mirror_observed_revision', { mirror: this.#options.name }, this.#observedRevision)
  }

  /** The store was proven to be another one: its revisions cannot be compared with those seen so far. */
  storeReset(error: unknown): void {
    this.#resetPending = true
    this.#observedRevision = 0
    this.#options.logger.warn(
      { mirror: this.#options.name, err: error },
      'the etcd store was reset; taking a snapshot in a new epoch',
    )
  }

  /** The copy equalled etcd at the moment `at`, taken before the store was asked. */
  knownEqual(at: { readonly wallMs: number; readonly monotonicMs: number }): void {
    const { name, metrics, logger } = this.#options
    if (!this.#equal) logger.info({ mirror: name, revision: this.#appliedRevision }, 'copy equals etcd')
    this.#equal = at
    this.#source.end()
    this.#target.end()
    metrics.set('etcd_mirror_last_success_timestamp_seconds', { mirror: name }, at.wallMs / 1000)
  }

  /** Everything that consumers see is what was published; looked at from `wallMs` on. */
  verified(wallMs: number): void {
    this.#verifiedMs = wallMs
  }

  /** The copy could not be looked at; it is tried again a period later. */
  verifyFailed(error: unknown): void {
    this.#options.logger.warn({ mirror: this.#options.name, err: error }, 'cannot verify the copy')
  }

  sawServerVersion(version: string | undefined): void {
    if (version === this.#serverVersion && version !== undefined) return
    this.#serverVersion = version
    if (version !== undefined && !isCompleteVersion(version)) {
      this.#options.logger.warn(
        { mirror: this.#options.name, version },
        'this etcd version can lose watch events: the copy converges within one verifyEvery; upgrade to 3.4.36, 3.5.18 or 3.6',
      )
    }
  }

  connected(): void {
    const { name, logger, metrics } = this.#options
    if (!this.#connected) logger.info({ mirror: name }, 'watch open')
    this.#connected = true
    this.#source.end()
    metrics.set('etcd_mirror_source_connected', { mirror: name }, 1)
  }

  /** etcd has answered as it should, although no watch is open. */
  answered(): void {
    this.#source.end()
  }

  /** The watch is not open, or etcd refuses to answer; retried. Each new reason is logged once. */
  sourceFailed(error: unknown): void {
    this.disconnected()
    this.#retried(this.#source, error, 'cannot follow etcd; retrying, the last good copy stays')
  }

  /** A read failed, perhaps beside an open watch, as after rights were revoked. */
  probeFailed(error: unknown): void {
    this.#retried(this.#source, error, 'cannot verify that the copy is fresh; retrying')
  }

  /** A guard keeps the last good copy as it is. Each new reason is logged once. */
  held(error: GuardError): void {
    const { name, metrics, logger } = this.#options
    if (this.#hold.note(error)) {
      metrics.add('etcd_mirror_guard_holds_total', { mirror: name, reason: error.code })
      logger.error({ mirror: name, err: error, key: error.key }, 'a guard holds the last good copy')
    }
    this.#report()
  }

  /** A hook failed after a publish, or, undefined, went well again. Its runs are logged where they are made. */
  hookResult(hook: string, failure: Error | undefined): void {
    const ongoing = this.#hooks.get(hook) ?? new OngoingFailure(this.#options)
    // The one that failed last is the last one that is shown.
    this.#hooks.delete(hook)
    if (failure === undefined) return
    const message = `Cannot run the hook ${hook}: ${failure.message}`
    const hint = 'The log has what the hook printed. It is tried again by its retries, and with the next publish.'
    ongoing.note(new EtcdMirrorError('HookFailed', message, true, { hint }))
    this.#hooks.set(hook, ongoing)
  }

  stopped(): void {
    this.disconnected()
    this.enter('Stopped')
  }

  disconnected(): void {
    this.#connected = false
    this.#options.metrics.set('etcd_mirror_source_connected', { mirror: this.#options.name }, 0)
  }

  targetFailed(error: unknown): void {
    const { name, metrics } = this.#options
    metrics.add('etcd_mirror_sync_total', { mirror: name, result: 'error' })
    this.#failedToOpen = this.#phase === 'Opening'
    this.#retried(this.#target, error, 'cannot write the target; retrying, the last good copy stays')
  }

  #retried(failure: OngoingFailure, error: unknown, message: string): void {
    const { name, logger } = this.#options
    if (failure.note(error)) logger.warn({ mirror: name, err: error }, message)
    else logger.debug({ mirror: name, err: error }, message)
  }

  #reportKeyErrors(keyErrors: KeyErrors): void {
    const { name, logger } = this.#options
    if (keyErrors.count > this.#keyErrors.count) {
      logger.error(
        { mirror: name, count: keyErrors.count, examples: keyErrors.examples },
        'keys that the target cannot represent',
      )
    }
    this.#keyErrors = keyErrors
  }

  #report(): void {
    const { name, metrics } = this.#options
    const mirror = { mirror: name }
    metrics.set('etcd_mirror_published_revision', mirror, this.#published?.revision ?? 0)
    metrics.set('etcd_mirror_applied_revision', mirror, this.#appliedRevision)
    metrics.set('etcd_mirror_epoch', mirror, this.#published?.epoch ?? 0)
    metrics.set('etcd_mirror_keys', mirror, this.#keys)
    metrics.set('etcd_mirror_key_errors', mirror, this.#keyErrors.count)
    metrics.set('etcd_mirror_ready', mirror, this.#published ? 1 : 0)
    metrics.set('etcd_mirror_held', mirror, this.#hold.current ? 1 : 0)
  }
}
