import type { RangeRequest, RangeResponse, ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { sameAnchor } from './anchor.ts'
import type { Position } from './position.ts'
import { prefixRange } from './prefix-range.ts'
import { StoreResetError } from './store-reset-error.ts'

/**
 * Proves by a linearizable read that the store still holds the history `position` was taken from.
 *
 * Resolves to true when proven, to false when there is nothing to prove it by (no anchor). Throws `StoreResetError` when
 * it is another store, `CompactedError` when the history at the position is gone, and the errors of `EtcdRpc`.
 */
export async function proveIdentity(
  rpc: EtcdRpc,
  prefix: Buffer,
  position: Position,
  { signal }: { readonly signal: AbortSignal },
): Promise<boolean> {
  const { anchor, revision, keyCount } = position
  if (!anchor) return false
  const { header, kvs } = await readAt(rpc, { key: anchor.key, revision }, signal)
  assertSameStore(position, header)
  if (!sameAnchor(anchor, kvs[0])) throw new StoreResetError('its history at the applied revision is another one')
  // The anchor is a put: a history that differs in deletes after it shows in the number of keys.
  const { count } = await readAt(rpc, { ...prefixRange(prefix), revision, countOnly: true }, signal)
  if (count !== keyCount) throw new StoreResetError('its history at the applied revision is another one')
  return true
}

/** Throws `StoreResetError` when a linearizable answer cannot come from the store `position` was taken from. */
export function assertSameStore(
  position: Pick<Position, 'clusterId' | 'revision' | 'raftTerm'>,
  header: Pick<ResponseHeader, 'clusterId' | 'revision' | 'raftTerm'>,
): void {
  // A proxy answers with cluster id 0.
  const bothKnown = header.clusterId !== 0n && position.clusterId !== 0n
  if (bothKnown && header.clusterId !== position.clusterId) throw new StoreResetError('its cluster id is another one')
  if (header.revision < position.revision) throw new StoreResetError('its revision went back')
  if (header.raftTerm < position.raftTerm) throw new StoreResetError('its raft term went back')
}

async function readAt(rpc: EtcdRpc, request: RangeRequest, signal: AbortSignal): Promise<RangeResponse> {
  try {
    return await rpc.unary('range', request, { signal })
  } catch (error) {
    const isFuture = error instanceof EtcdMirrorError && error.code === 'FutureRevision'
    throw isFuture ? new StoreResetError('its revision went back') : error
  }
}
