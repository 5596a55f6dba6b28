import { CompactedError } from '../etcd/compacted-error.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { anchorOf } from '../replication/anchor.ts'
import type { Change } from '../replication/change.ts'
import { assertSameStore, proveIdentity } from '../replication/identity.ts'
import type { Position } from '../replication/position.ts'
import { PositionTracker } from '../replication/position-tracker.ts'
import { prefixRange } from '../replication/prefix-range.ts'
import { watchRevisions } from '../replication/revisions.ts'
import { StoreResetError } from '../replication/store-reset-error.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { WatchEvent } from './key-value-watcher.ts'
import { persist } from './persist.ts'
import type { ServerTrust } from './server-trust.ts'

export interface PrefixWatchOptions {
  readonly rpc: EtcdRpc
  readonly signal: AbortSignal
  /** The watched prefix, complete. */
  readonly prefix: Buffer
  /** So many bytes at the front of keys are not shown. */
  readonly hiddenBytes: number
  readonly trust: ServerTrust
  readonly onInterrupted: ((error: EtcdMirrorError) => void) | undefined
}

/** Where a watch of the prefix can begin: its state at `revision` (default: now), as far as it proves a store's identity. */
export async function readStart(
  rpc: EtcdRpc,
  prefix: Buffer,
  { signal, timeoutMs, revision = 0 }: { readonly signal: AbortSignal; timeoutMs?: number; readonly revision?: number },
): Promise<Position> {
  const request = { ...prefixRange(prefix), limit: 1, revision }
  const call = { signal, ...(timeoutMs !== undefined && { timeoutMs }) }
  const { header, kvs, count } = await rpc.unary('range', request, call)
  const { clusterId, raftTerm } = header
  const anchor = kvs[0] && anchorOf(kvs[0])
  return { epoch: 0, clusterId, raftTerm, revision: revision || header.revision, keyCount: count, anchor }
}

/** Every event of one prefix behind `start`. Ends only by throwing: the abort reason, or what is no state of etcd. */
export async function* watchPrefix(start: Position, options: PrefixWatchOptions): AsyncGenerator<WatchEvent> {
  let position = start
  for (;;) {
    try {
      yield* follow(position, options)
    } catch (error) {
      options.signal.throwIfAborted()
      const reason = resyncReason(error)
      if (reason === undefined) throw error
      if (error instanceof EtcdMirrorError) options.onInterrupted?.(error)
      const { rpc, signal, prefix, hiddenBytes } = options
      position = await persist(() => readStart(rpc, prefix, { signal }), signal, options.onInterrupted)
      yield { type: 'resync', reason, prefix: prefix.subarray(hiddenBytes), revision: position.revision }
    }
  }
}

function resyncReason(error: unknown): 'compacted' | 'reset' | undefined {
  if (error instanceof CompactedError) return 'compacted'
  return error instanceof StoreResetError ? 'reset' : undefined
}

async function* follow(start: Position, options: PrefixWatchOptions): AsyncGenerator<WatchEvent> {
  const { rpc, signal, prefix, hiddenBytes, onInterrupted } = options
  const tracker = new PositionTracker(start)
  if (start.anchor === undefined) tracker.offerAnchor(undefined)
  let isNew = true
  const stream = watchRevisions(rpc, prefix, start.revision, {
    signal,
    prevKv: true,
    onState: (failure) => failure && onInterrupted?.(failure),
    async prove(proveSignal) {
      if (!isNew) await proveSame(rpc, prefix, tracker.position, proveSignal)
      isNew = false
    },
  })
  for await (const item of stream) {
    if (item.kind === 'progress') {
      // Every ten minutes. Else compaction would strand a prefix that rests while others are written.
      if (!(await options.trust.trustsProgress())) continue
      stream.confirm(item.revision)
      tracker.progress(item.revision)
      continue
    }
    tracker.apply(item.changes, item.revision)
    for (const change of item.changes) yield eventOf(change, hiddenBytes)
  }
}

/** Throws `StoreResetError` unless the prefix at the position's revision is proven to be what this watch took it for. */
async function proveSame(rpc: EtcdRpc, prefix: Buffer, position: Position, signal: AbortSignal): Promise<void> {
  if (await proveIdentity(rpc, prefix, position, { signal })) return
  const { header, count } = await rpc.unary(
    'range',
    { ...prefixRange(prefix), revision: position.revision, countOnly: true },
    { signal },
  )
  assertSameStore(position, header)
  // Nothing at all is the one state that a count alone proves.
  if (count > 0 || position.keyCount > 0)
    throw new StoreResetError('its state cannot be proven to be the one seen last')
}

function eventOf(change: Change, hiddenBytes: number): WatchEvent {
  const key = hiddenBytes === 0 ? change.key : change.key.subarray(hiddenBytes)
  const common = { key, previousValue: change.previous, revision: change.modRevision }
  return change.type === 'put'
    ? { type: 'put', value: change.value, ...common }
    : { type: 'delete', value: undefined, ...common }
}
