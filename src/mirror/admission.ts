import type { KeyValue } from '../etcd/key-value.ts'
import type { Change } from '../replication/change.ts'
import type { Snapshot } from '../replication/snapshot.ts'
import type { Guards } from './guards.ts'
import type { KeySelection } from './key-selection.ts'
import type { MirrorState } from './mirror-state.ts'
import type { MergedBatch, Totals } from './sink.ts'

/** What of etcd becomes visible: the keys that are selected, if the guards let them. All but `select` throw, or reject with, `GuardError`. */
export class Admission {
  readonly #guards: Guards
  readonly #selection: KeySelection
  readonly #state: MirrorState

  constructor(guards: Guards, selection: KeySelection, state: MirrorState) {
    this.#guards = guards
    this.#selection = selection
    this.#state = state
  }

  /** What events mean for the copy. */
  async select(changes: readonly Change[]): Promise<readonly Change[]> {
    return await this.#selection.ofChanges(changes)
  }

  /** Spares reading and staging what is held anyway: when every key is part of the copy, etcd has counted them. */
  admitCount({ count, revision }: Snapshot): void {
    if (!this.#selection.isEverything) return
    const next = { keys: count, bytes: 0 }
    this.#guards.admitTotals(next)
    const { copy } = this.#state
    if (copy?.keys !== undefined) this.#guards.admitSnapshot(copy, next, revision)
  }

  /** For the pages of one snapshot, one at a time: what belongs to the copy. Rejects as soon as that is beyond the limits. */
  pageSelector(): (page: readonly KeyValue[]) => Promise<readonly KeyValue[]> {
    const totals = { keys: 0, bytes: 0 }
    return async (page) => {
      const selected = await this.#selection.ofPage(page)
      for (const kv of selected) {
        this.#guards.admitValue(kv)
        totals.bytes += kv.value.length
      }
      totals.keys += selected.length
      this.#guards.admitTotals(totals)
      return selected
    }
  }

  /** What a snapshot at `revision` would make visible. */
  admitSnapshot(next: Totals, revision: number): void {
    this.#guards.admitTotals(next)
    this.#guards.admitSnapshot(this.#state.copy, next, revision)
  }

  /** Each value of a batch, before any of it is written. */
  admitValues(changes: readonly Change[]): void {
    for (const change of changes) if (change.type === 'put') this.#guards.admitValue(change)
  }

  /** What a batch would make visible. */
  admitBatch(next: Totals, { changes }: MergedBatch): void {
    this.#guards.admitTotals(next)
    this.#guards.admitBatch(this.#state.copy, next, changes)
  }

  /** What was admitted last is visible; to be called before the state hears of it. */
  published(totals: Totals): void {
    this.#guards.published(this.#state.copy, totals)
  }
}
