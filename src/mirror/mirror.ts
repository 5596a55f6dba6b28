import { CompactedError } from '../etcd/compacted-error.ts'
import type { Position } from '../replication/position.ts'
import { StoreResetError } from '../replication/store-reset-error.ts'
import { Backoff } from '../util/backoff.ts'
import { Admission } from './admission.ts'
import { Drift } from './drift.ts'
import { FollowPhase } from './follow-phase.ts'
import { GuardError } from './guard-error.ts'
import { Guards } from './guards.ts'
import { KeySelection } from './key-selection.ts'
import type { MirrorOptions, Seed } from './mirror-options.ts'
import { MirrorState } from './mirror-state.ts'
import type { MirrorStatus } from './mirror-status.ts'
import { ResyncNeeded, type ResyncReason } from './resync-needed.ts'
import { SinkError } from './sink-error.ts'

/**
 * Keeps one target equal to one prefix: open the target → snapshot, or resume at its position → follow → on compaction or
 * a reset, snapshot again → on loss, back off and resume.
 */
export class Mirror {
  readonly #options: MirrorOptions
  readonly #state: MirrorState
  readonly #synced = Promise.withResolvers<void>()
  /** A full disk or a foreign root is not tried again every few milliseconds by a whole fleet. */
  readonly #targetBackoff = new Backoff({ firstMs: 250, maxMs: 15_000 })
  readonly #sourceBackoff = new Backoff()
  /** What is held is listed again at every try. */
  readonly #heldBackoff = new Backoff({ firstMs: 2000, maxMs: 60_000 })
  readonly #selection: KeySelection
  readonly #admission: Admission
  readonly #drift: Drift
  #phase: FollowPhase | undefined
  /** What the copy was last known to equal; undefined = not known. */
  #applied: Position | undefined
  /** Why a snapshot is needed even where a position is there to go on from; undefined = it is not. */
  #owed: ResyncReason | undefined
  #startedMs = 0

  constructor(options: MirrorOptions) {
    this.#options = options
    this.#state = new MirrorState({ ...options, prefix: printable(options.prefix) })
    this.#selection = new KeySelection(options.prefix, options.keys)
    const guards = new Guards(options.limits, options.safety, options.clock)
    this.#admission = new Admission(guards, this.#selection, this.#state)
    this.#drift = new Drift(options)
    // Nobody has to wait for it.
    this.#synced.promise.catch(() => undefined)
  }

  get name(): string {
    return this.#options.name
  }

  status(): MirrorStatus {
    const { sink } = this.#options
    return this.#state.status({ fault: sink.fault?.(), objects: sink.objects?.() })
  }

  /**
   * Resolves when the copy is known to equal etcd for the first time since `run`, or is the fallback because etcd stays
   * away. Rejects with `GuardError` when a guard holds it before that, although the mirror goes on.
   */
  get synced(): Promise<void> {
    return this.#synced.promise
  }

  /** A hook of the target failed after a publish, or, undefined, went well again. Consumers see the publish all the same. */
  hookResult(hook: string, failure: Error | undefined): void {
    this.#state.hookResult(hook, failure)
  }

  /** See `Sink.told`. */
  async told(signal: AbortSignal): Promise<void> {
    await this.#options.sink.told?.({ signal })
  }

  /**
   * Asks for a complete snapshot. What is equal is not rewritten. One that is being taken is written first; nothing that
   * fails meanwhile makes it forgotten.
   */
  requestResync(reason: ResyncReason): void {
    if (this.#phase) this.#phase.requestResync(reason)
    else this.#owed ??= reason
  }

  /** Runs until the signal aborts, then lets the target go and resolves. Everything that fails is retried. */
  async run(signal: AbortSignal): Promise<void> {
    this.#startedMs = this.#options.clock.monotonic()
    let reason: ResyncReason = 'start'
    while (!signal.aborted) {
      try {
        await this.#openAndFollow(reason, signal)
      } catch (error) {
        if (signal.aborted) break
        this.#state.targetFailed(error)
        reason = 'target'
        await this.#pause(this.#targetBackoff, signal)
      }
    }
    this.#state.stopped()
    await this.#options.sink.close()
  }

  /** Ends only by throwing: the abort reason, or what is wrong with the target. */
  async #openAndFollow(firstReason: ResyncReason, signal: AbortSignal): Promise<never> {
    this.#state.enter('Opening')
    const opened = await this.#options.sink.open({ signal, onDrift: () => this.requestResync('verify') })
    this.#state.opened(opened)
    this.#options.onOpened?.()
    // The fallback stands for no state of etcd.
    this.#applied = opened.position?.revision === 0 ? undefined : opened.position
    let position = this.#applied
    for (;;) {
      let backoff = this.#sourceBackoff
      try {
        await this.#follow(this.#owed ? undefined : position, this.#owed ?? firstReason, signal)
      } catch (error) {
        signal.throwIfAborted()
        if (error instanceof SinkError) throw error
        if (error instanceof GuardError) backoff = this.#heldBackoff
        position = undefined
        this.#owed = this.#judge(error) ?? this.#owed
      }
      await this.#seedWhenDue(signal)
      await this.#pause(backoff, signal)
    }
  }

  /** Nothing of etcd could be published for so long: consumers get the fallback instead of nothing. */
  async #seedWhenDue(signal: AbortSignal): Promise<void> {
    const { seed, clock } = this.#options
    if (!seed || clock.monotonic() - this.#startedMs < seed.afterMs) return
    if (!this.#state.published) await this.#publishSeed(seed, signal)
    if (this.#state.isSeeded) this.#synced.resolve()
  }

  async #publishSeed(seed: Seed, signal: AbortSignal): Promise<void> {
    const { pages, finish } = seed.open()
    const selected = this.#selection.ofPages(pages)
    try {
      this.#state.seeded(await this.#options.sink.restore({ pages: selected, finish }, { signal }))
    } catch (error) {
      signal.throwIfAborted()
      if (error instanceof SinkError) throw error
      this.#state.seedFailed(error)
    }
  }

  async #follow(position: Position | undefined, reason: ResyncReason, signal: AbortSignal): Promise<never> {
    const phase = new FollowPhase({
      ...this.#options,
      state: this.#state,
      backoff: this.#targetBackoff,
      admission: this.#admission,
      drift: this.#drift,
      applied: this.#applied,
      onEqual: () => {
        this.#sourceBackoff.reset()
        this.#heldBackoff.reset()
        this.#synced.resolve()
      },
      onHeld: (error) => this.#synced.reject(error),
    })
    this.#phase = phase
    try {
      return await (position ? phase.resume(position, signal) : phase.restart(reason, signal))
    } finally {
      this.#phase = undefined
      this.#applied = phase.written ?? this.#applied
      if (phase.written) this.#owed = undefined
      this.#owed ??= phase.requested
    }
  }

  /** Why the next snapshot is taken; undefined = for the same reason as before: the last one failed. */
  #judge(error: unknown): ResyncReason | undefined {
    if (error instanceof GuardError) {
      // What it judged was read just now.
      this.#state.answered()
      this.#state.held(error)
      this.#synced.reject(error)
      return undefined
    }
    const reason = resyncReasonOf(error)
    if (reason === undefined) this.#state.sourceFailed(error)
    else if (reason === 'reset') this.#state.storeReset(error)
    else this.#options.logger.info({ mirror: this.name, reason }, 'taking a snapshot')
    return reason
  }

  async #pause(backoff: Backoff, signal: AbortSignal): Promise<void> {
    this.#state.enter('Retrying')
    this.#options.beat()
    await this.#options.clock.sleep(backoff.nextMs(), signal).catch(() => undefined)
  }
}

function resyncReasonOf(error: unknown): ResyncReason | undefined {
  if (error instanceof ResyncNeeded) return error.reason
  if (error instanceof CompactedError) return 'compacted'
  if (error instanceof StoreResetError) return 'reset'
  return undefined
}

function printable(prefix: Buffer): string {
  return JSON.stringify(prefix.toString('utf8')).slice(1, -1)
}
