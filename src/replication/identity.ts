import type { ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import type { Position } from './position.ts'
import { prefixRange } from './prefix-range.ts'
import { judgeState } from './state-proof.ts'
import { StoreResetError } from './store-reset-error.ts'

export interface ProveOptions {
  readonly signal: AbortSignal
  /** The server may have lost events: then keys that we do not know prove nothing. Default false. */
  readonly mayLoseEvents?: boolean
}

/**
 * Proves by linearizable reads that the store still holds the history `position` was taken from.
 *
 * Resolves to true when proven, to false when there is nothing to prove it by (keys but no anchor, or what differs may be
 * lost events). Throws `StoreResetError` when it is another store, `CompactedError` when the history at the position is
 * gone, and the errors of `EtcdRpc`.
 */
export async function proveIdentity(
  rpc: EtcdRpc,
  prefix: Buffer,
  position: Position,
  { signal, mayLoseEvents = false }: ProveOptions,
): Promise<boolean> {
  const { anchor, revision, keyCount } = position
  if (!anchor && keyCount > 0) return false
  const check = (header: ResponseHeader) => assertSameStore(position, header)
  const verdict = await judgeState(rpc, prefixRange(prefix), position, { revision, signal, check })
  if (verdict === 'same') return true
  if (verdict === 'otherKeys' && mayLoseEvents) return false
  throw new StoreResetError('its history at the applied revision is another one')
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
