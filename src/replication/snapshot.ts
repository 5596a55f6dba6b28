import type { KeyValue } from '../etcd/key-value.ts'
import type { ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { PageReader } from './page-reader.ts'
import { prefixRange } from './prefix-range.ts'

/** All keys of a prefix at one revision. */
export interface Snapshot {
  /** Of the first page: where and when the snapshot was taken. */
  readonly header: ResponseHeader
  readonly revision: number
  /** Keys under the prefix at that revision. */
  readonly count: number
  readonly firstPage: readonly KeyValue[]
  /** Ascending by key; single use. Throws `CompactedError` when etcd gave the revision up meanwhile. */
  readonly pages: AsyncIterable<readonly KeyValue[]>
}

/**
 * Opens a snapshot by a linearizable read of its first page, at `revision` or (default) at the newest one; the others
 * follow at the same revision as they are pulled.
 * Rejects with the errors of `EtcdRpc` and with the abort reason.
 */
export async function takeSnapshot(
  rpc: EtcdRpc,
  prefix: Buffer,
  { signal, revision: at }: { readonly signal: AbortSignal; readonly revision?: number | undefined },
): Promise<Snapshot> {
  const reader = new PageReader(rpc, prefixRange(prefix))
  const first = await reader.next({ signal, revision: at })
  const revision = at ?? first.header.revision

  async function* pages(): AsyncGenerator<readonly KeyValue[]> {
    if (first.kvs.length > 0) yield first.kvs
    while (!reader.done) yield (await reader.next({ signal, revision })).kvs
  }
  return { header: first.header, revision, count: first.count, firstPage: first.kvs, pages: pages() }
}
