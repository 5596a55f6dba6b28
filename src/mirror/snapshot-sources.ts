import type { KeyValue } from '../etcd/key-value.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { UnavailableError } from '../etcd/unavailable-error.ts'
import { newestAnchor } from '../replication/anchor.ts'
import { assertSameStore, proveIdentity } from '../replication/identity.ts'
import { PageReader } from '../replication/page-reader.ts'
import type { Anchor, Position } from '../replication/position.ts'
import { prefixRange } from '../replication/prefix-range.ts'
import { readAhead } from '../replication/read-ahead.ts'
import type { Snapshot } from '../replication/snapshot.ts'
import type { Follower } from './follower.ts'
import type { Freshness } from './freshness.ts'
import { proveRead } from './read-so-far.ts'
import type { SnapshotSource } from './sink.ts'
import type { StartedFrom } from './stream-proof.ts'

/** Pages wait in memory up to here, so that paging keeps etcd's pace and not the target's. */
const READ_AHEAD_BYTES = 32 * 1024 * 1024

export interface SourceContext {
  readonly rpc: EtcdRpc
  readonly prefix: Buffer
  readonly follower: Follower
  readonly signal: AbortSignal
  /** Called with each page: what of it belongs to the copy. May reject with what ends the snapshot. */
  readonly select: (page: readonly KeyValue[]) => Promise<readonly KeyValue[]>
}

/** The snapshot as it is: all pages at one revision. */
export function pinnedSource(
  snapshot: Snapshot,
  { start, progress }: StartedFrom,
  context: SourceContext,
): SnapshotSource {
  const { rpc, prefix, follower, signal } = context

  async function* counted(): AsyncGenerator<readonly KeyValue[]> {
    for await (const page of snapshot.pages) {
      follower.throwIfFailed()
      progress.add(page)
      yield await context.select(page)
    }
    progress.complete()
    // At once: a watch that breaks while the target still writes has to be proven by something.
    follower.offerAnchor(progress.part?.state.anchor)
  }
  return {
    pages: readAhead(counted(), { signal, sizeOf: sizeOfPage, limit: READ_AHEAD_BYTES }),
    async finish() {
      follower.throwIfFailed()
      const complete: Position = { ...start, ...progress.part?.state }
      // A store that was reset between two pages would have given us halves of two histories.
      for (const part of progress.marks) await proveRead(rpc, start, part, { signal })
      await proveIdentity(rpc, prefix, complete, { signal })
      return { changes: [], position: complete }
    },
  }
}

/**
 * For a store that is compacted faster than its pages can be read at one revision: each page is read at the revision that
 * is current then, and what the watch (open since before the first page) delivers goes on top. Complete at the first
 * revision that is not below the last page's.
 */
export function overlaidSource(context: SourceContext, freshness: Freshness): SnapshotSource {
  const { rpc, prefix, follower, signal } = context
  let anchor: Anchor | undefined
  let lastRevision = 0

  async function* current(): AsyncGenerator<readonly KeyValue[]> {
    const reader = new PageReader(rpc, prefixRange(prefix))
    while (!reader.done) {
      const before = follower.received
      const { header, kvs } = await reader.next({ signal })
      assertSameStore(before, header)
      follower.throwIfFailed()
      lastRevision = header.revision
      anchor = newestAnchor(kvs, anchor)
      yield await context.select(kvs)
    }
  }
  return {
    pages: readAhead(current(), { signal, sizeOf: sizeOfPage, limit: READ_AHEAD_BYTES }),
    async finish() {
      if (!(await freshness.reach(lastRevision, signal))) {
        throw new UnavailableError('Unavailable', 'Cannot complete the snapshot: the watch does not catch up')
      }
      follower.offerAnchor(anchor)
      const merged = follower.take()
      return { changes: merged?.changes ?? [], position: merged?.position ?? follower.received }
    },
  }
}

function sizeOfPage(page: readonly KeyValue[]): number {
  return page.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
}
