import type { ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { anchorOf, sameAnchor } from '../replication/anchor.ts'
import type { Batch } from '../replication/batch.ts'
import { assertSameStore } from '../replication/identity.ts'
import type { Anchor } from '../replication/position.ts'
import { keyCountDelta } from '../replication/position-tracker.ts'
import { prefixRange } from '../replication/prefix-range.ts'
import { StoreResetError } from '../replication/store-reset-error.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'

interface Place {
  readonly clusterId: bigint
  readonly raftTerm: number
  readonly revision: number
  /** Keys under the prefix at `revision`. */
  readonly keyCount: number
  /** A put under the prefix, at or before `revision`: the proof that a store is the one it was read from. */
  readonly anchor: Anchor | undefined
}

export interface ReadOptions {
  readonly signal: AbortSignal
  readonly timeoutMs?: number
  /** Default: the current one. */
  readonly revision?: number
}

/**
 * How far a watch of one prefix is, and what proves that a store still holds the history it has seen. As the mirror's
 * `PositionTracker`, but for any number of watches and events: it remembers one put, and looks for it in history.
 */
export class WatchPosition {
  readonly #prefix: Buffer
  #place: Place

  /** Where a watch of the prefix can begin. Rejects with the errors of `EtcdRpc`. */
  static async read(rpc: EtcdRpc, prefix: Buffer, { revision = 0, ...call }: ReadOptions): Promise<WatchPosition> {
    const { header, kvs, count } = await rpc.unary('range', { ...prefixRange(prefix), limit: 1, revision }, call)
    const { clusterId, raftTerm } = header
    const anchor = kvs[0] && anchorOf(kvs[0])
    return new WatchPosition(prefix, {
      clusterId,
      raftTerm,
      revision: revision || header.revision,
      keyCount: count,
      anchor,
    })
  }

  private constructor(prefix: Buffer, place: Place) {
    this.#prefix = prefix
    this.#place = place
  }

  get revision(): number {
    return this.#place.revision
  }

  /** Whole revisions, in order. */
  apply({ changes, revision }: Batch): void {
    let { keyCount } = this.#place
    for (const change of changes) keyCount += keyCountDelta(change)
    const put = changes.findLast(({ type }) => type === 'put')
    const anchor = put?.type === 'put' ? anchorOf(put) : this.#place.anchor
    this.#place = { ...this.#place, revision, keyCount, anchor }
  }

  /** Nothing under the prefix changed up to `revision`. */
  progress(revision: number): void {
    if (revision > this.#place.revision) this.#place = { ...this.#place, revision }
  }

  /**
   * Throws `StoreResetError` unless the prefix at `revision` is proven to be what this watch took it for, `CompactedError`
   * when there is no history to prove it by, and the errors of `EtcdRpc`.
   */
  async prove(rpc: EtcdRpc, signal: AbortSignal): Promise<void> {
    const { anchor, revision, keyCount } = this.#place
    const request = { ...prefixRange(this.#prefix), revision, countOnly: true }
    const { header, count } = await this.#read(() => rpc.unary('range', request, { signal }))
    assertSameStore(this.#place, header)
    const isFound = anchor === undefined ? keyCount === 0 : await this.#isFound(rpc, anchor, signal)
    if (!isFound || count !== keyCount) throw new StoreResetError('what was seen last is not in its history')
    this.#place = { ...this.#place, raftTerm: header.raftTerm }
  }

  /** It stands there still, or else history shows that it once did. */
  async #isFound(rpc: EtcdRpc, anchor: Anchor, signal: AbortSignal): Promise<boolean> {
    for (const revision of new Set([this.#place.revision, anchor.modRevision])) {
      const request = { key: anchor.key, revision }
      const { kvs } = await this.#read(() => rpc.unary('range', request, { signal }))
      if (sameAnchor(anchor, kvs[0])) return true
    }
    return false
  }

  async #read<Response extends { readonly header: ResponseHeader }>(call: () => Promise<Response>): Promise<Response> {
    try {
      return await call()
    } catch (error) {
      const isFuture = error instanceof EtcdMirrorError && error.code === 'FutureRevision'
      throw isFuture ? new StoreResetError('its revision went back') : error
    }
  }
}
