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

/** A page of small values may hold tens of thousands of keys: a target with a slow disk works on one for minutes. */
const PIECE_KEYS = 1000

export interface SourceContext {
  readonly rpc: EtcdRpc
  readonly prefix: Buffer
  readonly follower: Follower
  readonly signal: AbortSignal
  /** Called with each page: what of it belongs to the copy. May reject with what ends the snapshot. */
  readonly select: (page: readonly KeyValue[]) => Promise<readonly KeyValue[]>
  /** Called as the target gets on: it is done with what was made of so many keys more. */
  readonly onTaken: (keys: number) => void
}

/** How many keys were read, and what of them belongs to the copy. */
interface SelectedPage {
  readonly read: number
  readonly kvs: readonly KeyValue[]
}

/** The snapshot as it is: all pages at one revision. */
export function pinnedSource(
  snapshot: Snapshot,
  { start, progress }: StartedFrom,
  context: SourceContext,
): SnapshotSource {
  const { rpc, prefix, follower, signal } = context

  async function* counted(): AsyncGenerator<SelectedPage> {
    for await (const page of snapshot.pages) {
      follower.throwIfFailed()
      progress.add(page)
      yield { read: page.length, kvs: await context.select(page) }
    }
    progress.complete()
    // At once: a watch that breaks while the target still writes has to be proven by something.
    follower.offerAnchor(progress.part?.state.anchor)
  }
  return {
    pages: handedOut(counted(), context),
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

  async function* current(): AsyncGenerator<SelectedPage> {
    const reader = new PageReader(rpc, prefixRange(prefix))
    while (!reader.done) {
      const before = follower.received
      const { header, kvs } = await reader.next({ signal })
      assertSameStore(before, header)
      follower.throwIfFailed()
      lastRevision = header.revision
      anchor = newestAnchor(kvs, anchor)
      yield { read: kvs.length, kvs: await context.select(kvs) }
    }
  }
  return {
    pages: handedOut(current(), context),
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

/** The pages in pieces, ahead of the target: what it has done with them, not what was read, is how far the snapshot is. */
async function* handedOut(
  pages: AsyncIterable<SelectedPage>,
  { signal, onTaken }: SourceContext,
): AsyncGenerator<readonly KeyValue[]> {
  for await (const { read, kvs } of readAhead(pages, { signal, sizeOf: sizeOfPage, limit: READ_AHEAD_BYTES })) {
    let taken = 0
    for (let start = 0; start < kvs.length; start += PIECE_KEYS) {
      const piece = kvs.slice(start, start + PIECE_KEYS)
      yield piece
      const share = Math.floor((read * piece.length) / kvs.length)
      onTaken(share)
      taken += share
    }
    onTaken(read - taken)
  }
}

function sizeOfPage({ kvs }: SelectedPage): number {
  return kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
}
