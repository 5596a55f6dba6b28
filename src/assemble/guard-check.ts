import type { MirrorConfig } from '../config/process-config.ts'
import type { KeyValue } from '../etcd/key-value.ts'
import { GuardError } from '../mirror/guard-error.ts'
import { Guards } from '../mirror/guards.ts'
import type { Totals } from '../mirror/sink.ts'
import type { Position } from '../replication/position.ts'
import type { CopyComparison } from '../targets/files/compare-copy.ts'
import { systemClock } from '../util/clock.ts'

/** What guards need to know of what stands in a target. */
export interface CopyFacts {
  /** The revision that consumers see it under; 0 = it is the fallback of `seedFrom`. */
  readonly revision: number
  /** It equals the prefix at this position; undefined = not known. */
  readonly position: Position | undefined
  /** Keys of the copy; undefined = not known. */
  readonly keys: number | undefined
  /** Whether it was made with the configuration of now. */
  readonly isSameConfig: boolean
}

/** What the guards of a mirror would say to a complete state, without a mirror that runs. */
export class GuardCheck {
  readonly #guards: Guards
  readonly #copy: CopyFacts | undefined
  #held: GuardError | undefined

  constructor({ limits, safety }: Pick<MirrorConfig, 'limits' | 'safety'>, copy: CopyFacts | undefined) {
    this.#guards = new Guards(limits, safety, systemClock)
    this.#copy = copy
  }

  /** Why the copy would be held; undefined = it would be published. */
  get held(): GuardError | undefined {
    return this.#held
  }

  /** Looks at each value that passes. */
  async *watch(pages: AsyncIterable<readonly KeyValue[]>): AsyncGenerator<readonly KeyValue[]> {
    for await (const page of pages) {
      for (const kv of page) this.note(() => this.#guards.admitValue(kv))
      yield page
    }
  }

  /** What a comparison comes to; nothing when the files cannot be made, which holds the copy as well. */
  async compared(compare: () => Promise<CopyComparison>): Promise<CopyComparison> {
    try {
      return await compare()
    } catch (error) {
      if (!(error instanceof GuardError)) throw error
      this.#held = error
      return { differences: [], keyErrors: { count: 0, examples: [] }, totals: { keys: 0, bytes: 0 } }
    }
  }

  /** All of them at `revision`. */
  judge(totals: Totals, revision: number): void {
    if (this.#held?.code === 'RenderFailed') return
    this.note(() => this.#guards.admitTotals(totals))
    this.note(() => this.#guards.admitSnapshot(this.#before(), totals, revision))
  }

  /** Remembers the first guard that holds. */
  note(admit: () => void): void {
    try {
      admit()
    } catch (error) {
      if (!(error instanceof GuardError)) throw error
      this.#held ??= error
    }
  }

  #before() {
    if (this.#copy === undefined || this.#copy.revision === 0) return undefined
    const { keys, revision, position, isSameConfig } = this.#copy
    return { keys, revision: Math.max(revision, position?.revision ?? 0), isSameConfig }
  }
}
