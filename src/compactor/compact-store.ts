import type { EtcdRpc } from '../etcd/rpc.ts'
import { withCompactionHint } from './compaction-hint.ts'

export interface CompactStoreOptions {
  readonly signal: AbortSignal
  /** Give up the history before this revision; default: the current one. */
  readonly revision?: number | undefined
  /** Of both calls together, milliseconds. Default: the connection's operation-timeout for each. */
  readonly timeoutMs?: number | undefined
}

/** No key has this name: reading it tells the store's revision and nothing else. */
const NO_KEY = Buffer.from([0])

/**
 * Compacts the whole store and resolves, once the history is gone from disk, with the revision it was compacted to.
 *
 * Throws `CompactedError` when it had been compacted up to there, `FutureRevision` when the store is not there yet, and
 * the errors of `EtcdRpc`. After `DeadlineExceeded` etcd goes on with it.
 */
export async function compactStore(
  rpc: EtcdRpc,
  { signal, revision, timeoutMs }: CompactStoreOptions,
): Promise<number> {
  const options = timeoutMs === undefined ? { signal } : { signal, timeoutMs }
  const startedMs = performance.now()
  const target = revision ?? (await rpc.unary('range', { key: NO_KEY, countOnly: true }, options)).header.revision
  const left = timeoutMs === undefined ? {} : { timeoutMs: Math.max(1, timeoutMs - (performance.now() - startedMs)) }
  try {
    await rpc.unary('compact', { revision: target, physical: true }, { ...options, ...left })
  } catch (error) {
    throw withCompactionHint(error)
  }
  return target
}
