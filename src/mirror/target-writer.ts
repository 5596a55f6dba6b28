import type { Position } from '../replication/position.ts'
import type { Clock } from '../util/clock.ts'
import { Notifier } from '../util/notifier.ts'
import type { Admission } from './admission.ts'
import { Comparison, type Drift } from './drift.ts'
import type { MirrorState } from './mirror-state.ts'
import type { Difference, MergedBatch, Sink, SnapshotSource, Totals, WriteResult } from './sink.ts'

/** A target may be slow, held or full: then who waits for it is told so after that time. */
const WRITE_WAIT_MS = 20_000

export interface TargetWriterOptions {
  readonly sink: Sink
  readonly state: MirrorState
  readonly admission: Admission
  readonly drift: Drift
  readonly clock: Clock
}

/** Writes the target as far as the guards let it, and knows where it stands. */
export class TargetWriter {
  readonly #options: TargetWriterOptions
  readonly #wrote = new Notifier()
  #written: Position | undefined

  constructor(options: TargetWriterOptions) {
    this.#options = options
  }

  /** Where the target stands; undefined = nothing was written, nor resumed from. */
  get written(): Position | undefined {
    return this.#written
  }

  /** The target stands there. */
  standsAt(position: Position): void {
    this.#written = position
    this.#wrote.notify()
  }

  /** A complete state. `base`: what the copy is compared with it for; undefined = with nothing. Rejects as `Sink.restore`. */
  async restore(source: SnapshotSource, base: Position | undefined, signal: AbortSignal): Promise<void> {
    const { sink, admission, drift } = this.#options
    let position: Position | undefined
    const comparison = new Comparison(base)
    const onDifference = base && ((difference: Difference) => comparison.add(difference))
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

  /** Whole revisions, perhaps without a change. Rejects as `Sink.apply` and `Sink.advance`. */
  async write(batch: MergedBatch, signal: AbortSignal): Promise<void> {
    const { sink, state, admission } = this.#options
    if (batch.changes.length > 0) {
      admission.admitValues(batch.changes)
      const admit = (next: Totals) => admission.admitBatch(next, batch)
      await this.#timed(
        () => sink.apply(batch, { signal, admit }),
        () => batch.position,
      )
      return
    }
    await sink.advance(batch.position, { signal })
    state.advanced(batch.position)
    this.standsAt(batch.position)
  }

  /** Resolves to true once the target holds everything up to `revision`, to false when that takes more than 20 s. */
  async writtenUpTo(revision: number, signal: AbortSignal): Promise<boolean> {
    const { clock } = this.#options
    const endMs = clock.monotonic() + WRITE_WAIT_MS
    while ((this.#written?.revision ?? 0) < revision) {
      const leftMs = endMs - clock.monotonic()
      if (leftMs <= 0) return false
      await this.#wrote.waitAtMost(leftMs, this.#wrote.version, { clock, signal })
    }
    return true
  }

  async #timed(write: () => Promise<WriteResult>, at: () => Position | undefined): Promise<void> {
    const { clock, state, admission } = this.#options
    const startedMs = clock.monotonic()
    const result = await write()
    const position = at()
    if (!position) throw new Error('the target resolved without reading the snapshot to its end')
    admission.published(result.totals)
    state.wrote(result, position, (clock.monotonic() - startedMs) / 1000)
    this.standsAt(position)
  }
}
