import type { MirrorConfig } from '../config/process-config.ts'
import { CompactedError } from '../etcd/compacted-error.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { comparablePosition } from '../mirror/comparable.ts'
import { KeySelection } from '../mirror/key-selection.ts'
import { SinkError } from '../mirror/sink-error.ts'
import type { Position } from '../replication/position.ts'
import { isCompleteVersion, readServerVersion } from '../replication/server-version.ts'
import { type Snapshot, takeSnapshot } from '../replication/snapshot.ts'
import { StoreResetError } from '../replication/store-reset-error.ts'
import type { CopyComparison } from '../targets/files/compare-copy.ts'
import type { PublishedCopy } from '../targets/files/published-copy.ts'
import type { JudgeFile } from './files-projection.ts'
import { type CopyFacts, GuardCheck } from './guard-check.ts'
import { type CopyLook, type LookContext, lookAtCopy } from './look-at-copy.ts'

/** What a copy was compared with, and why that. */
export interface ComparedWith {
  /** Of etcd. */
  readonly revision: number
  /**
   * `Head`: what etcd holds now. `Published`: what it held at the revision of the copy. `HeadAfterCompaction`: now,
   * because that history is gone; changes since then do not count. `OtherStore`: now, because that history is another one.
   */
  readonly basis: 'Head' | 'Published' | 'HeadAfterCompaction' | 'OtherStore'
}

export interface CopyInspection extends CopyComparison {
  readonly mirror: MirrorConfig
  /** What consumers see; undefined = nothing is published. */
  readonly copy: CopyFacts | undefined
  /** The same, as files. */
  readonly tree: PublishedCopy | undefined
  readonly with: ComparedWith
  /** Differences that etcd may have made since the copy: nobody can tell after a compaction. */
  readonly unjudged: number
  /** Whether a guard would hold the publish of what etcd holds now, and why. */
  readonly guard: GuardCheck
  /** The copy stayed as it was: else differences may be changes that were published meanwhile. */
  readonly isSettled: boolean
}

export interface InspectOptions extends LookContext {
  readonly rpc: EtcdRpc
  readonly version: 'Head' | 'Published'
  /** Keep what should stand in each differing path of a tree. Default: its size alone. */
  readonly keepBytes?: boolean
}

/** A mirror that publishes all the time, and a store that is compacted all the time, are not waited for. */
const TRIES = 5

/**
 * Compares what consumers of a mirror see with etcd. Writes nothing and needs no lock, so that it can be done beside the
 * running process. Throws the errors of `EtcdRpc` and `SinkError` when the copy cannot be read.
 */
export async function inspectCopy(mirror: MirrorConfig, options: InspectOptions): Promise<CopyInspection> {
  for (let attempt = 1; ; attempt++) {
    const look = await lookAtCopy(mirror, options)
    try {
      const inspection = await inspect(mirror, look, options)
      if (inspection.isSettled || attempt === TRIES) return inspection
    } catch (error) {
      const reason = await retriedFor(error, mirror, look)
      if (reason === undefined || attempt === TRIES) throw reason ?? error
    }
  }
}

/** undefined = another try would not help. */
async function retriedFor(error: unknown, { target }: MirrorConfig, look: CopyLook): Promise<Error | undefined> {
  if (error instanceof CompactedError) return error
  if (!(error instanceof SinkError) || !('files' in target) || (await look.isSame())) return undefined
  const { root } = target.files
  return new SinkError('TargetBusy', root, `Cannot compare ${root}: the copy changes faster than it can be read`)
}

async function inspect(
  mirror: MirrorConfig,
  look: CopyLook,
  { rpc, version, signal, keepBytes = false }: InspectOptions,
): Promise<CopyInspection> {
  const { prefix } = mirror
  const { copy, tree } = look
  const basis = version === 'Head' ? HEAD : await publishedOf(copy, prefix, rpc, signal)
  const snapshot = await takeSnapshot(rpc, prefix, { signal, revision: basis.revision })
  const guard = new GuardCheck(mirror, copy)
  const pages = guard.watch(new KeySelection(prefix, mirror.keys).ofPages(snapshot.pages))
  const judged: JudgeFile = (judge) => guard.note(judge)
  const state = { pages, position: positionOf(snapshot, copy), keepBytes, judged, signal }
  const comparison = await guard.compared(() => look.compare(state))
  guard.judge(comparison.totals, snapshot.revision)
  const differences = basis.basis === 'HeadAfterCompaction' ? judgeable(comparison, copy) : comparison.differences
  return {
    ...comparison,
    mirror,
    copy,
    tree,
    with: { revision: snapshot.revision, basis: basis.basis },
    differences,
    unjudged: comparison.differences.length - differences.length,
    guard,
    isSettled: comparison.differences.length === 0 || (await look.isSame()),
  }
}

interface Basis {
  readonly revision: number | undefined
  readonly basis: ComparedWith['basis']
}

const HEAD: Basis = { revision: undefined, basis: 'Head' }

async function publishedOf(
  copy: CopyFacts | undefined,
  prefix: Buffer,
  rpc: EtcdRpc,
  signal: AbortSignal,
): Promise<Basis> {
  if (copy?.position === undefined) return HEAD
  try {
    const maxBehind = Number.POSITIVE_INFINITY
    const mayLoseEvents = !isCompleteVersion(await readServerVersion(rpc, { signal }))
    const position = await comparablePosition(rpc, prefix, copy.position, { signal, maxBehind, mayLoseEvents })
    if (position === undefined) return { revision: undefined, basis: 'HeadAfterCompaction' }
    return { revision: position.revision, basis: 'Published' }
  } catch (error) {
    if (!(error instanceof StoreResetError)) throw error
    return { revision: undefined, basis: 'OtherStore' }
  }
}

/** What was put after the copy differs rightly; what etcd does not hold any more may have been deleted after it. */
function judgeable({ differences }: CopyComparison, copy: CopyFacts | undefined) {
  const applied = copy?.position?.revision ?? 0
  return differences.filter(({ modRevision = Number.POSITIVE_INFINITY }) => modRevision <= applied)
}

function positionOf({ header, revision, count }: Snapshot, copy: CopyFacts | undefined): Position {
  const { clusterId, raftTerm } = header
  return { epoch: copy?.position?.epoch ?? 0, clusterId, revision, raftTerm, keyCount: count, anchor: undefined }
}
