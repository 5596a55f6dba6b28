import { CompactedError } from '../etcd/compacted-error.ts'
import type { RangeRequest, RangeResponse, ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { sameAnchor } from './anchor.ts'
import type { Position } from './position.ts'
import type { KeyRange } from './prefix-range.ts'
import { StoreResetError } from './store-reset-error.ts'

/** What tells two histories apart: the anchor itself, or the keys beside it. */
export type StateVerdict = 'same' | 'otherAnchor' | 'otherKeys'

export interface ReadOptions {
  readonly signal: AbortSignal
  /** Gets the header of the answers; what it throws is passed on. */
  readonly check: (header: ResponseHeader) => void
}

/** What is compared; the anchor has to be the newest live put of the range, and is missing only in an empty one. */
export type ProvableState = Pick<Position, 'anchor' | 'keyCount'>

/**
 * Whether a range holds at `revision` what it held when `state` was taken from it, by linearizable reads (docs/adr/0012-proof-of-state.md): the
 * anchor is the same, nothing that lives was put after it, and the number of keys is equal.
 *
 * Throws `CompactedError` when the revision is gone, `StoreResetError` when it has not been reached, and the errors of
 * `EtcdRpc`.
 */
export async function judgeState(
  rpc: EtcdRpc,
  range: KeyRange,
  { anchor, keyCount }: ProvableState,
  { revision, signal, check }: ReadOptions & { readonly revision: number },
): Promise<StateVerdict> {
  if (anchor) {
    const { header, kvs } = await readAt(rpc, { key: anchor.key, revision }, signal)
    check(header)
    if (!sameAnchor(anchor, kvs[0])) return 'otherAnchor'
  }
  const filter = changedAfter(anchor?.modRevision, revision)
  const { header, kvs, count } = await readAt(rpc, { ...range, revision, ...filter }, signal)
  check(header)
  return kvs.length === 0 && count === keyCount ? 'same' : 'otherKeys'
}

/**
 * The revision of the store's head, when the range still holds there what it held at `position`; undefined = it changed,
 * or changes too fast to tell. Throws `StoreResetError` when only another history explains what is there, and the errors
 * of `EtcdRpc`. Without an anchor only changes after the position are seen.
 */
export async function unchangedUpTo(
  rpc: EtcdRpc,
  range: KeyRange,
  position: Position,
  { signal, check }: ReadOptions,
): Promise<number | undefined> {
  const { anchor, keyCount, revision } = position
  const minModRevision = (anchor?.modRevision ?? revision) + 1
  const request = { ...range, minModRevision, keysOnly: true, limit: 1 }
  const { header, kvs, count } = await rpc.unary('range', request, { signal })
  check(header)
  if (kvs.length > 0 || count !== keyCount) return undefined
  if (!anchor) return header.revision
  try {
    const found = await readAt(rpc, { key: anchor.key, revision: header.revision }, signal)
    if (sameAnchor(anchor, found.kvs[0])) return header.revision
  } catch (error) {
    if (error instanceof CompactedError) return undefined
    throw error
  }
  throw new StoreResetError('its history before the applied revision is another one')
}

/** Counting alone is cheaper, and enough when nothing can have been put after the anchor. */
function changedAfter(modRevision = Number.POSITIVE_INFINITY, revision: number): Partial<RangeRequest> {
  if (modRevision >= revision) return { countOnly: true }
  return { minModRevision: modRevision + 1, keysOnly: true, limit: 1 }
}

async function readAt(rpc: EtcdRpc, request: RangeRequest, signal: AbortSignal): Promise<RangeResponse> {
  try {
    return await rpc.unary('range', request, { signal })
  } catch (error) {
    const isFuture = error instanceof EtcdMirrorError && error.code === 'FutureRevision'
    throw isFuture ? new StoreResetError('its revision went back') : error
  }
}
