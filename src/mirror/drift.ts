import type { Position } from '../replication/position.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import type { Difference } from './sink.ts'

const MAX_EXAMPLES = 10
const MAX_PATH_LENGTH = 200

export interface DriftOptions {
  readonly name: string
  readonly logger: Logger
  readonly metrics: Metrics
}

/** Counts and names what made the copy differ from etcd although no event said so. One finding is counted once. */
export class Drift {
  readonly #options: DriftOptions
  /** Found and counted, but not named yet. */
  #isOpen = false

  constructor(options: DriftOptions) {
    this.#options = options
  }

  /** The copy differs; the snapshot that names how is still to come. `message`: how that was noticed. */
  found(message: string): void {
    if (this.#isOpen) return
    this.#isOpen = true
    this.#options.metrics.add('etcd_mirror_drift_detected_total', { mirror: this.#options.name })
    this.#options.logger.error({ mirror: this.#options.name }, message)
  }

  /** The copy was compared with a snapshot and equals it now. */
  repaired(comparison: Comparison, position: Position): void {
    const { name, logger } = this.#options
    const { count, examples } = comparison.drift(position)
    if (count > 0) {
      this.found('the copy differs from etcd in what etcd did not change')
      logger.error({ mirror: name, revision: position.revision, count, examples }, 'drift repaired')
    } else if (this.#isOpen) {
      const fields = { mirror: name, revision: position.revision }
      logger.error(fields, 'drift repaired; what differed cannot be told from what etcd changed meanwhile')
    }
    this.#isOpen = false
  }
}

/** What one snapshot found different in a copy that was meant to equal etcd at `base`. */
export class Comparison {
  readonly #base: Position | undefined
  readonly #owned = new Examples()
  /** Without a key that could tell when it changed. */
  readonly #others = new Examples()

  /** `base` undefined = not known: then nothing is taken for drift. */
  constructor(base: Position | undefined) {
    this.#base = base
  }

  add(difference: Difference): void {
    if (difference.modRevision === undefined) this.#others.add(difference)
    else if (this.#base && difference.modRevision <= this.#base.revision) this.#owned.add(difference)
  }

  /** `position`: that of the snapshot. A path that no key has may be one of a key deleted since the base. */
  drift({ epoch, revision }: Position): { readonly count: number; readonly examples: readonly DriftExample[] } {
    if (this.#base === undefined || epoch !== this.#base.epoch) return { count: 0, examples: [] }
    const parts = revision === this.#base.revision ? [this.#owned, this.#others] : [this.#owned]
    return {
      count: parts.reduce((sum, { count }) => sum + count, 0),
      examples: parts.flatMap(({ list }) => list).slice(0, MAX_EXAMPLES),
    }
  }
}

export interface DriftExample {
  readonly path: string
  readonly kind: Difference['kind']
}

class Examples {
  count = 0
  readonly list: DriftExample[] = []

  add({ path, kind }: Difference): void {
    this.count += 1
    if (this.list.length < MAX_EXAMPLES) this.list.push({ path: path.slice(0, MAX_PATH_LENGTH), kind })
  }
}
