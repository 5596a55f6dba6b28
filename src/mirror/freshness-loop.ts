import { StoreResetError } from '../replication/store-reset-error.ts'
import type { Clock } from '../util/clock.ts'
import type { Notifier } from '../util/notifier.ts'
import { Doubts } from './doubts.ts'
import type { Drift } from './drift.ts'
import type { Follower } from './follower.ts'
import type { Freshness } from './freshness.ts'
import type { MirrorState } from './mirror-state.ts'
import { ResyncNeeded } from './resync-needed.ts'
import type { TargetWriter } from './target-writer.ts'

const MAX_INTERVAL_MS = 60_000

export interface FreshnessLoopOptions {
  readonly follower: Follower
  readonly freshness: Freshness
  readonly state: MirrorState
  readonly maxStalenessMs: number
  readonly verifyEveryMs: number
  readonly clock: Clock
  readonly drift: Drift
  readonly beat: () => void
  readonly onEqual: () => void
  /** Notified when the watch is open again: then what is known is out of date. */
  readonly reopened: Notifier
  readonly writer: TargetWriter
}

/**
 * Finds out, every min(maxStaleness / 3, 60 s), whether the copy equals etcd. It also keeps an idle prefix of a busy
 * cluster from being stranded by compaction, notices revoked rights (a live watch outlives them), a reset behind a proxy,
 * and events the server lost.
 */
export class FreshnessLoop {
  readonly #options: FreshnessLoopOptions
  readonly #doubts = new Doubts()

  constructor(options: FreshnessLoopOptions) {
    this.#options = options
  }

  /** Runs until the signal aborts; then resolves. Findings go to the follower and the state. */
  async run(signal: AbortSignal): Promise<void> {
    const { beat, clock, reopened } = this.#options
    while (!signal.aborted) {
      beat()
      const seen = reopened.version
      try {
        await this.#check(signal)
        await reopened.waitAtMost(this.#intervalMs(), seen, { clock, signal })
      } catch (error) {
        if (signal.aborted) return
        await this.#failed(error, signal)
      }
    }
  }

  async #check(signal: AbortSignal): Promise<void> {
    const { clock, freshness, state, onEqual, writer } = this.#options
    const at = { wallMs: clock.now(), monotonicMs: clock.monotonic() }
    const head = await freshness.head(signal)
    state.observed(head.revision)
    const reading = await freshness.readAnchor(signal)
    const revision = Math.max(head.revision, reading?.revision ?? 0)
    if (!(await freshness.reach(revision, signal)) || !freshness.assertAnchor(reading)) return this.#doubt()
    this.#doubts.clear()
    if (!(await writer.writtenUpTo(revision, signal))) return
    state.knownEqual(at)
    onEqual()
  }

  /** The store says that something changed, and no event came. */
  #doubt(): void {
    const { follower, state, drift, clock } = this.#options
    if (!state.status().sourceConnected) return
    const { revision } = follower.received
    const doubt = { revision, answers: follower.answers, atMs: clock.monotonic(), isTrusted: state.trustsProgress }
    const finding = this.#doubts.add(doubt)
    if (finding === 'none') return
    if (finding === 'lost') drift.found('etcd did not deliver every event; taking a snapshot')
    follower.requestResync('lost')
  }

  async #failed(error: unknown, signal: AbortSignal): Promise<void> {
    const { follower, state, clock } = this.#options
    if (error instanceof StoreResetError || error instanceof ResyncNeeded) follower.fail(error)
    else state.probeFailed(error)
    await clock.sleep(Math.min(this.#intervalMs(), 5000), signal).catch(() => undefined)
  }

  #intervalMs(): number {
    const { maxStalenessMs, verifyEveryMs, state } = this.#options
    // A server that may lose events is doubted as often as the copy has to converge.
    const convergeMs = state.trustsProgress ? 0 : verifyEveryMs
    const thirds = [maxStalenessMs, convergeMs].filter((ms) => ms > 0).map((ms) => ms / 3)
    return Math.min(MAX_INTERVAL_MS, ...thirds) * (0.75 + Math.random() / 4)
  }
}
