import type { KeyValue } from '../etcd/key-value.ts'
import { newestAnchor } from '../replication/anchor.ts'
import type { Anchor } from '../replication/position.ts'
import { type KeyRange, keyAfter, prefixRange } from '../replication/prefix-range.ts'
import type { ProvableState } from '../replication/state-proof.ts'

/**
 * How much of a snapshot was read, as something that can be proven: a store that is reset between two pages, and has
 * overtaken the snapshot's revision, would give us halves of two histories.
 */
export class ReadSoFar {
  readonly #prefix: Buffer
  #through: Buffer | undefined
  #keyCount = 0
  #anchor: Anchor | undefined
  #isComplete = false

  constructor(prefix: Buffer) {
    this.#prefix = prefix
  }

  /** The next page, in ascending order. */
  add(page: readonly KeyValue[]): void {
    const last = page.at(-1)
    if (last) this.#through = Buffer.from(last.key)
    this.#keyCount += page.length
    this.#anchor = newestAnchor(page, this.#anchor)
  }

  /** Every page was read. */
  complete(): void {
    this.#isComplete = true
  }

  get isComplete(): boolean {
    return this.#isComplete
  }

  /** What was read: keys, and the newest of them. */
  get state(): ProvableState {
    return { anchor: this.#anchor, keyCount: this.#keyCount }
  }

  /** Where that is all there is; undefined = nothing was read yet. */
  get range(): KeyRange | undefined {
    const range = prefixRange(this.#prefix)
    if (this.#isComplete) return range
    return this.#through && { key: range.key, rangeEnd: keyAfter(this.#through) }
  }
}
