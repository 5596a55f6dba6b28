import type { Clock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import { withCompactionHint } from './compaction-hint.ts'
import type { CompactionPhase, CompactionStatus } from './compaction-status.ts'

export interface CompactorStateOptions {
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Every fact the compactor knows about itself: each change reaches status, metrics and log together. */
export class CompactorState {
  readonly #options: CompactorStateOptions
  #phase: CompactionPhase = 'Waiting'
  #compactedRevision = 0
  #lastCompactionMs: number | undefined
  #lastError: CompactionStatus['lastError']

  constructor(options: CompactorStateOptions) {
    this.#options = options
  }

  status(periodMs: number): CompactionStatus {
    return {
      phase: this.#phase,
      periodMs,
      compactedRevision: this.#compactedRevision,
      lastCompactionMs: this.#lastCompactionMs,
      lastError: this.#lastError,
    }
  }

  /** The period begins; nothing is to be said of it. */
  waiting(): void {
    this.#enter('Waiting')
  }

  compacting(): void {
    this.#enter('Compacting')
  }

  /** History before `revision` is gone. */
  compacted(revision: number, head: number): void {
    const { clock, logger, metrics } = this.#options
    this.#compactedRevision = revision
    this.#lastCompactionMs = clock.now()
    this.#count('success')
    metrics.set('etcd_mirror_compacted_revision', {}, revision)
    metrics.set('etcd_mirror_compaction_last_success_timestamp_seconds', {}, clock.now() / 1000)
    logger.info({ revision, head }, 'compacted etcd')
    this.#enter('Waiting')
  }

  /** There is nothing that may be given up. */
  skipped(target: number): void {
    this.#options.logger.debug({ target }, 'nothing to compact')
    this.#count('skipped')
    this.#enter('Waiting')
  }

  /** Another runner took this period. */
  lost(): void {
    this.#count('lost')
    this.#enter('Following')
  }

  yielded(why: string): void {
    if (this.#phase !== 'Yielding') this.#options.logger.info({ why }, 'leaving the compaction to something else')
    this.#count('yielded')
    this.#enter('Yielding')
  }

  failed(cause: unknown): void {
    const { clock, logger } = this.#options
    const error = withCompactionHint(cause)
    const known = error instanceof EtcdMirrorError ? error : undefined
    const reason = known?.code ?? 'Internal'
    const message = error instanceof Error ? error.message : 'Cannot compact etcd: unexpected failure'
    this.#count(reason === 'PermissionDenied' ? 'denied' : 'error')
    if (this.#lastError?.reason !== reason) logger.warn({ err: error, reason }, 'cannot compact etcd; trying again')
    this.#lastError = { reason, message, hint: known?.hint, atMs: clock.now() }
    this.#phase = reason === 'PermissionDenied' ? 'Denied' : 'Retrying'
  }

  #enter(phase: CompactionPhase): void {
    this.#phase = phase
    this.#lastError = undefined
  }

  #count(result: string): void {
    this.#options.metrics.add('etcd_mirror_compactions_total', { result })
  }
}
