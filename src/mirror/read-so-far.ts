import type { KeyValue } from '../etcd/key-value.ts'
import type { ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { newestAnchor } from '../replication/anchor.ts'
import { assertSameStore } from '../replication/identity.ts'
import type { Anchor, Position } from '../replication/position.ts'
import { type KeyRange, keyAfter, prefixRange } from '../replication/prefix-range.ts'
import { judgeState, type ProvableState } from '../replication/state-proof.ts'
import { StoreResetError } from '../replication/store-reset-error.ts'
import { ownCopy } from '../util/own-copies.ts'

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
  readonly #marks: ReadPart[] = []

  constructor(prefix: Buffer) {
    this.#prefix = prefix
  }

  /** The next page, in ascending order. */
  add(page: readonly KeyValue[]): void {
    const last = page.at(-1)
    if (last) this.#through = ownCopy(last.key)
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

  /** What was read; undefined = nothing yet. */
  get part(): ReadPart | undefined {
    const { key, rangeEnd } = prefixRange(this.#prefix)
    if (!this.#isComplete && !this.#through) return undefined
    const range = { key, rangeEnd: this.#isComplete || !this.#through ? rangeEnd : keyAfter(this.#through) }
    return { range, state: { anchor: this.#anchor, keyCount: this.#keyCount } }
  }

  /** The watch broke or is opened again: from here on pages may be of another store than those before. */
  mark(): void {
    const isKnown = this.#marks.at(-1)?.state.keyCount === this.#keyCount
    if (this.part && !this.#isComplete && !isKnown) this.#marks.push(this.part)
  }

  /** What had been read at each mark. */
  get marks(): readonly ReadPart[] {
    return this.#marks
  }
}

/** Everything between two keys, with the newest of them. */
export interface ReadPart {
  readonly range: KeyRange
  readonly state: ProvableState
}

/** Throws `StoreResetError` when the store does not hold that at the position, and the errors of `EtcdRpc`. */
export async function proveRead(
  rpc: EtcdRpc,
  start: Position,
  { range, state }: ReadPart,
  { signal }: { readonly signal: AbortSignal },
): Promise<void> {
  const check = (header: ResponseHeader) => assertSameStore(start, header)
  const verdict = await judgeState(rpc, range, state, { revision: start.revision, signal, check })
  if (verdict !== 'same') throw new StoreResetError('its history changed while a snapshot was read')
}
