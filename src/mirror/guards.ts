import type { KeyValue } from '../etcd/key-value.ts'
import type { Change } from '../replication/change.ts'
import type { Clock } from '../util/clock.ts'
import { formatQuantity } from '../util/quantity.ts'
import { GuardError } from './guard-error.ts'
import type { Totals } from './sink.ts'

export interface LimitOptions {
  readonly maxKeys: number
  /** Of all values together. */
  readonly maxBytes: number
  readonly maxValueBytes: number
}

export interface SafetyOptions {
  /** Hold a copy that had keys back from becoming empty. */
  readonly refuseEmpty: boolean
  /** Hold when more than this share of the keys would go; 100 = never. */
  readonly maxDeletePercent: number
  /** Deletes up to this etcd revision are meant. */
  readonly allowDeleteUpTo: number
}

/** What consumers see of etcd before a write. */
export interface VisibleCopy {
  /** undefined = not known; then it is not taken for empty. */
  readonly keys: number | undefined
  /** The copy equals etcd up to here. */
  readonly revision: number
  /** Made with the configuration of now: only then `keys` tells how many would go. */
  readonly isSameConfig: boolean
}

/** Below this number of keys a share says nothing. */
const MIN_KEYS_FOR_PERCENT = 20
/** Many small deletes are one large one: what counts is the highest number of keys in this time. */
const WINDOW_MS = 600_000
/** Of times within one slot only the first is kept. */
const SLOT_MS = 10_000

/**
 * Decides whether what would become visible may. Limits hold whatever etcd holds too much; safety holds what looks like
 * an accident. Throws `GuardError`, which says the line to write to go on.
 */
export class Guards {
  readonly #limits: LimitOptions
  readonly #safety: SafetyOptions
  readonly #clock: Clock
  /** Numbers of keys that were visible, when last; oldest and highest first, each higher than what is visible now. */
  #past: readonly { readonly keys: number; readonly slot: number }[] = []
  /** What was admitted last holds deletes that are allowed. */
  #isMeant = false

  constructor(limits: LimitOptions, safety: SafetyOptions, clock: Clock) {
    this.#limits = limits
    this.#safety = safety
    this.#clock = clock
  }

  /** What was admitted last is visible instead of `before`. */
  published(before: VisibleCopy | undefined, { keys }: Totals): void {
    const slot = this.#slot()
    // Deletes that were meant must not count against those that follow.
    const past = this.#isMeant ? [] : this.#past
    const known = this.#isMeant || !before?.isSameConfig || past.at(-1)?.slot === slot ? undefined : before.keys
    this.#past = [...past, { keys: known ?? 0, slot }].filter((entry) => entry.keys > keys)
    this.#isMeant = false
  }

  /** One value, before it is written anywhere. */
  admitValue({ key, value }: Pick<KeyValue, 'key' | 'value'>): void {
    const { maxValueBytes } = this.#limits
    if (value.length <= maxValueBytes) return
    throw new GuardError(
      'LimitExceeded',
      `Cannot publish: a value of ${value.length} bytes is larger than limits.maxValueBytes ${formatQuantity(maxValueBytes)}`,
      'Make the value smaller, leave its key out by keys.exclude, or raise limits.maxValueBytes; the log names the key.',
      key.toString('utf8').slice(0, 200),
    )
  }

  /** Everything that would be visible, also while it is still being read. */
  admitTotals({ keys, bytes }: Totals): void {
    const { maxKeys, maxBytes } = this.#limits
    if (keys > maxKeys) {
      throw new GuardError(
        'LimitExceeded',
        `Cannot publish: there are at least ${keys} keys, more than limits.maxKeys ${maxKeys}`,
        'Delete keys below the prefix, leave some out by keys.exclude, or raise limits.maxKeys.',
      )
    }
    if (bytes > maxBytes) {
      throw new GuardError(
        'LimitExceeded',
        `Cannot publish: there are values of at least ${bytes} bytes together, more than limits.maxBytes ${formatQuantity(maxBytes)}`,
        'Delete keys below the prefix, leave some out by keys.exclude, or raise limits.maxBytes.',
      )
    }
  }

  /**
   * A complete state at `revision`. Which deletes led to it is not known, so an allowance for any later than the visible
   * copy is one for it: in a busy cluster no revision that a person writes down is still the newest one.
   */
  admitSnapshot(before: VisibleCopy | undefined, next: Totals, revision: number): void {
    if (before === undefined) return
    this.#isMeant = this.#safety.allowDeleteUpTo > before.revision
    if (this.#isMeant) return
    // After a reset of the store its revisions are lower than that of the copy.
    const allow = Math.max(revision, before.revision + 1)
    this.#admitLoss({ before, next, highest: this.#highest(before), revision, allow })
  }

  /** What a batch leads to: the deletes that are not allowed count as if they alone had happened. */
  admitBatch(before: VisibleCopy | undefined, next: Totals, changes: readonly Change[]): void {
    if (before === undefined) return
    const deletes = changes.filter(({ type }) => type === 'delete')
    const others = deletes.filter(({ modRevision }) => modRevision > this.#safety.allowDeleteUpTo)
    this.#isMeant = others.length < deletes.length
    if (others.length === 0) return
    const revision = others.reduce((newest, { modRevision }) => Math.max(newest, modRevision), 0)
    const highest = this.#isMeant ? next.keys + others.length : this.#highest(before)
    this.#admitLoss({ before, next, highest, revision, allow: revision })
  }

  #admitLoss({ before, next, highest, revision, allow }: Loss): void {
    const { refuseEmpty, maxDeletePercent } = this.#safety
    if (before.keys !== undefined && next.keys >= before.keys) return
    const hint = `If this is meant, write safety: { allowDeleteUpTo: ${allow} }`
    if (refuseEmpty && next.keys === 0) {
      throw new GuardError('EmptyRefused', `Cannot publish revision ${revision}: it would leave no key`, hint)
    }
    const lost = highest - next.keys
    if (before.isSameConfig && highest >= MIN_KEYS_FOR_PERCENT && lost * 100 > highest * maxDeletePercent) {
      throw new GuardError(
        'DeletesRefused',
        `Cannot publish revision ${revision}: ${lost} of ${highest} keys would go, more than safety.maxDeletePercent ${maxDeletePercent}`,
        hint,
      )
    }
  }

  #highest({ keys = 0 }: VisibleCopy): number {
    const since = this.#slot() - WINDOW_MS / SLOT_MS
    this.#past = this.#past.filter(({ slot }) => slot >= since)
    return Math.max(keys, this.#past[0]?.keys ?? 0)
  }

  #slot(): number {
    return Math.floor(this.#clock.monotonic() / SLOT_MS)
  }
}

interface Loss {
  readonly before: VisibleCopy
  readonly next: Totals
  /** What the loss is measured against. */
  readonly highest: number
  /** For people: what is refused. */
  readonly revision: number
  /** The allowance that lets it go on. */
  readonly allow: number
}
