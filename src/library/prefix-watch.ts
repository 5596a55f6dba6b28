import { CompactedError } from '../etcd/compacted-error.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import type { Change } from '../replication/change.ts'
import { watchRevisions } from '../replication/revisions.ts'
import { StoreResetError } from '../replication/store-reset-error.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { WatchEvent } from './key-value-watcher.ts'
import { persist } from './persist.ts'
import type { ServerTrust } from './server-trust.ts'
import { WatchPosition } from './watch-position.ts'

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

/** Every event of one prefix behind `start`, some at a time. Ends only by throwing: the abort reason, or what is no state of etcd. */
export async function* watchPrefix(
  start: WatchPosition,
  options: PrefixWatchOptions,
): AsyncGenerator<readonly WatchEvent[]> {
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
      position = await persist(() => WatchPosition.read(rpc, prefix, { signal }), signal, options.onInterrupted)
      yield [{ type: 'resync', reason, prefix: prefix.subarray(hiddenBytes), revision: position.revision }]
    }
  }
}

function resyncReason(error: unknown): 'compacted' | 'reset' | undefined {
  if (error instanceof CompactedError) return 'compacted'
  return error instanceof StoreResetError ? 'reset' : undefined
}

async function* follow(position: WatchPosition, options: PrefixWatchOptions): AsyncGenerator<readonly WatchEvent[]> {
  const { rpc, signal, prefix, hiddenBytes, onInterrupted } = options
  let isNew = true
  const stream = watchRevisions(rpc, prefix, position.revision, {
    signal,
    prevKv: true,
    onState: (failure) => failure && onInterrupted?.(failure),
    async prove(proveSignal) {
      if (!isNew) await position.prove(rpc, proveSignal)
      isNew = false
    },
  })
  for await (const item of stream) {
    if (item.kind === 'progress') {
      // Every ten minutes. Else compaction would strand a prefix that rests while others are written.
      if (!(await options.trust.trustsProgress())) continue
      stream.confirm(item.revision)
      position.progress(item.revision)
      continue
    }
    position.apply(item)
    yield item.changes.map((change) => eventOf(change, hiddenBytes))
  }
}

function eventOf(change: Change, hiddenBytes: number): WatchEvent {
  const key = hiddenBytes === 0 ? change.key : change.key.subarray(hiddenBytes)
  const { previous: previousValue, modRevision: revision } = change
  return change.type === 'put'
    ? { type: 'put', key, value: change.value, previousValue, revision }
    : { type: 'delete', key, value: undefined, previousValue, revision }
}
