import { CompactedError } from '../etcd/compacted-error.ts'
import type { ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { assertSameStore, proveIdentity } from '../replication/identity.ts'
import type { Position } from '../replication/position.ts'
import { prefixRange } from '../replication/prefix-range.ts'
import { unchangedUpTo } from '../replication/state-proof.ts'

export interface ComparableOptions {
  readonly signal: AbortSignal
  readonly maxBehind: number
  /** The server may have lost events: then a difference is no sign of a reset. Default false. */
  readonly mayLoseEvents?: boolean
}

/**
 * The newest position at which etcd holds what it held at `applied`, so that a snapshot taken there can be compared with a
 * copy made of `applied`. undefined = there is none: etcd changed the prefix since, and gave the revision up or is more
 * than `maxBehind` revisions ahead of it.
 *
 * Throws `StoreResetError` when the store is another one, and the errors of `EtcdRpc`.
 */
export async function comparablePosition(
  rpc: EtcdRpc,
  prefix: Buffer,
  applied: Position,
  { signal, maxBehind, mayLoseEvents = false }: ComparableOptions,
): Promise<Position | undefined> {
  let head = 0
  const check = (header: ResponseHeader) => {
    assertSameStore(applied, header)
    head = header.revision
  }
  const unchanged = await unchangedUpTo(rpc, prefixRange(prefix), applied, { signal, check })
  if (unchanged !== undefined) return { ...applied, revision: unchanged }
  if (head - applied.revision > maxBehind) return undefined
  try {
    // What lost events left out is what the comparison is to find.
    await proveIdentity(rpc, prefix, applied, { signal, mayLoseEvents })
    return applied
  } catch (error) {
    if (error instanceof CompactedError) return undefined
    throw error
  }
}
