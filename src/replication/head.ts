import type { EtcdRpc } from '../etcd/rpc.ts'
import { prefixRange } from './prefix-range.ts'

/** The store as a linearizable read inside the prefix shows it: READ on the prefix is all that this needs. */
export interface Head {
  readonly clusterId: bigint
  readonly revision: number
  readonly raftTerm: number
  /** Keys under the prefix at `revision`. */
  readonly keyCount: number
}

export async function readHead(
  rpc: EtcdRpc,
  prefix: Buffer,
  { signal }: { readonly signal: AbortSignal },
): Promise<Head> {
  const { header, count } = await rpc.unary('range', { ...prefixRange(prefix), countOnly: true }, { signal })
  return { clusterId: header.clusterId, revision: header.revision, raftTerm: header.raftTerm, keyCount: count }
}
