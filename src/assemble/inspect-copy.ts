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
import { type CopyComparison, compareCopy } from '../targets/files/compare-copy.ts'
import type { FilesTargetOptions } from '../targets/files/options.ts'
import { lookAtPublishedCopy, type PublishedCopy } from '../targets/files/published-copy.ts'
import { filesProjection } from './files-projection.ts'
import { GuardCheck } from './guard-check.ts'

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

/** A mirror whose copy is files. */
export type FilesMirror = MirrorConfig & { readonly target: { readonly files: FilesTargetOptions } }

export interface CopyInspection extends CopyComparison {
  readonly mirror: FilesMirror
  /** What consumers see; undefined = nothing is published. */
  readonly copy: PublishedCopy | undefined
  readonly with: ComparedWith
  /** Differences that etcd may have made since the copy: nobody can tell after a compaction. */
  readonly unjudged: number
  /** Whether a guard would hold the publish of what etcd holds now, and why. */
  readonly guard: GuardCheck
  /** The copy stayed as it was: else differences may be changes that were published meanwhile. */
  readonly isSettled: boolean
}

export interface InspectOptions {
  readonly rpc: EtcdRpc
  readonly version: 'Head' | 'Published'
  /** Keep what should stand in each differing path. Default: its size alone. */
  readonly keepBytes?: boolean
  readonly signal: AbortSignal
}

/** A mirror that publishes all the time, and a store that is compacted all the time, are not waited for. */
const TRIES = 5

/**
 * Compares what consumers of a mirror see with etcd. Writes nothing and needs no lock, so that it can be done beside the
 * running process. Throws the errors of `EtcdRpc` and `SinkError` when the copy cannot be read.
 */
export async function inspectCopy(mirror: FilesMirror, options: InspectOptions): Promise<CopyInspection> {
  for (let attempt = 1; ; attempt++) {
    const copy = lookAt(mirror)
    try {
      const inspection = await inspect(mirror, copy, options)
      if (inspection.isSettled || attempt === TRIES) return inspection
    } catch (error) {
      const reason = retriedFor(error, mirror, copy)
      if (reason === undefined || attempt === TRIES) throw reason ?? error
    }
  }
}

/** undefined = another try would not help. */
function retriedFor(error: unknown, mirror: FilesMirror, copy: PublishedCopy | undefined): Error | undefined {
  if (error instanceof CompactedError) return error
  if (!(error instanceof SinkError) || isSame(copy, lookAt(mirror))) return undefined
  const { root } = mirror.target.files
  return new SinkError('TargetBusy', root, `Cannot compare ${root}: the copy changes faster than it can be read`)
}

async function inspect(
  mirror: FilesMirror,
  copy: PublishedCopy | undefined,
  { rpc, version, signal, keepBytes = false }: InspectOptions,
): Promise<CopyInspection> {
  const { prefix } = mirror
  const { files } = mirror.target
  const basis = version === 'Head' ? HEAD : await publishedOf(copy, prefix, rpc, signal)
  const snapshot = await takeSnapshot(rpc, prefix, { signal, revision: basis.revision })
  const guard = new GuardCheck(mirror, copy)
  const pages = guard.watch(new KeySelection(prefix, mirror.keys).ofPages(snapshot.pages))
  const position = positionOf(snapshot, copy)
  const projection = filesProjection(mirror, files, (judge) => guard.note(judge))
  const options = { copy, target: files, prefix, projection, pages, position, keepBytes, signal }
  const comparison = await guard.compared(() => compareCopy(options))
  guard.judge(comparison.totals, snapshot.revision)
  const judged = basis.basis === 'HeadAfterCompaction' ? judgeable(comparison, copy) : comparison.differences
  return {
    ...comparison,
    mirror,
    copy,
    with: { revision: snapshot.revision, basis: basis.basis },
    differences: judged,
    unjudged: comparison.differences.length - judged.length,
    guard,
    isSettled: comparison.differences.length === 0 || isSame(copy, lookAt(mirror)),
  }
}

interface Basis {
  readonly revision: number | undefined
  readonly basis: ComparedWith['basis']
}

const HEAD: Basis = { revision: undefined, basis: 'Head' }

async function publishedOf(
  copy: PublishedCopy | undefined,
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
function judgeable({ differences }: CopyComparison, copy: PublishedCopy | undefined) {
  const applied = copy?.position?.revision ?? 0
  return differences.filter(({ modRevision = Number.POSITIVE_INFINITY }) => modRevision <= applied)
}

function isSame(before: PublishedCopy | undefined, after: PublishedCopy | undefined): boolean {
  return before?.directory === after?.directory && before?.revision === after?.revision
}

function positionOf({ header, revision, count }: Snapshot, copy: PublishedCopy | undefined): Position {
  const { clusterId, raftTerm } = header
  return { epoch: copy?.position?.epoch ?? 0, clusterId, revision, raftTerm, keyCount: count, anchor: undefined }
}

function lookAt({ name, configHash, target }: FilesMirror): PublishedCopy | undefined {
  const { root, layout } = target.files
  return lookAtPublishedCopy({ root, layout, mirrorName: name, configHash })
}
