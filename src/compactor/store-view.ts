import type { ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { COMPACTION_KEY } from '../replication/coordination-key.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'

/** Where the Kubernetes API server keeps the revision it compacts to. It is only ever read here. */
const KUBERNETES_KEY = Buffer.from('compact_rev_key')

/** What a runner has to know before it compacts, all of one revision. */
export interface StoreView {
  readonly header: ResponseHeader
  /** Of the coordination key; 0 = nobody has compacted yet. */
  readonly keyRevision: number
  /** What the last runner compacted to, or was going to when it ended; 0 = none. */
  readonly lastTarget: number
  /** The Kubernetes API server compacts this store. */
  readonly hasOtherCompactor: boolean
}

export async function readStoreView(rpc: EtcdRpc, signal: AbortSignal): Promise<StoreView> {
  const success = [{ range: { key: COMPACTION_KEY } }, { range: { key: KUBERNETES_KEY, countOnly: true } }]
  const { header, responses } = await rpc.unary('txn', { compare: [], success, failure: [] }, { signal })
  const [own, other] = responses.map((response) => ('range' in response ? response.range : undefined))
  if (own === undefined || other === undefined) {
    throw new EtcdMirrorError('ProtocolError', 'Cannot read the state of the compaction: the answer is malformed', true)
  }
  const kv = own.kvs[0]
  const written = Number(kv?.value.toString('latin1') ?? 0)
  return {
    header,
    keyRevision: kv?.modRevision ?? 0,
    lastTarget: Number.isSafeInteger(written) && written > 0 ? written : 0,
    hasOtherCompactor: other.count > 0,
  }
}

/**
 * Takes the compaction of this period: resolves with the header of the write, or with undefined when another runner was
 * faster.
 */
export async function claimCompaction(
  rpc: EtcdRpc,
  { keyRevision }: StoreView,
  target: number,
  signal: AbortSignal,
): Promise<ResponseHeader | undefined> {
  const { header, succeeded } = await rpc.unary(
    'txn',
    {
      compare: [{ key: COMPACTION_KEY, target: 'modRevision', result: 'equal', operand: keyRevision }],
      success: [{ put: { key: COMPACTION_KEY, value: Buffer.from(String(target)) } }],
      failure: [],
    },
    { signal },
  )
  return succeeded ? header : undefined
}

/** Rejects with `PermissionDenied` when the claim would be refused. Writes nothing: what it compares never holds. */
export async function proveClaimRight(rpc: EtcdRpc, signal: AbortSignal): Promise<void> {
  await readStoreView(rpc, signal)
  await rpc.unary(
    'txn',
    {
      compare: [{ key: COMPACTION_KEY, target: 'version', result: 'less', operand: 0 }],
      success: [{ put: { key: COMPACTION_KEY, value: Buffer.from('0') } }],
      failure: [],
    },
    { signal },
  )
}
