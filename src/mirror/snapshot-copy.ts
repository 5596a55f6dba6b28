import { CompactedError } from '../etcd/compacted-error.ts'
import type { Position } from '../replication/position.ts'
import { type Snapshot, takeSnapshot } from '../replication/snapshot.ts'
import type { Admission } from './admission.ts'
import { catchUpLimit } from './catch-up-limit.ts'
import { comparablePosition } from './comparable.ts'
import type { Follower } from './follower.ts'
import type { Freshness } from './freshness.ts'
import type { MirrorOptions } from './mirror-options.ts'
import type { MirrorState } from './mirror-state.ts'
import { ReadSoFar } from './read-so-far.ts'
import type { ResyncReason } from './resync-needed.ts'
import { overlaidSource, pinnedSource, type SourceContext } from './snapshot-sources.ts'
import type { StartedFrom } from './stream-proof.ts'
import type { TargetWriter } from './target-writer.ts'

/** From this mean size of a value on, cutting large answers costs less than holding them. */
const FRAGMENT_MEAN_BYTES = 4096

/** These want to know what differs from the copy, not only to be as new as etcd. */
const COMPARING: ReadonlySet<ResyncReason> = new Set(['verify', 'request'])

export interface SnapshotCopyOptions
  extends Pick<MirrorOptions, 'rpc' | 'prefix' | 'name' | 'clock' | 'logger' | 'metrics' | 'beat'> {
  readonly state: MirrorState
  readonly admission: Admission
  readonly writer: TargetWriter
  /** What the copy was last known to equal; undefined = not known. */
  readonly applied: Position | undefined
  /** Opens the watch beside the snapshot. */
  readonly open: (from: StartedFrom, fragment: boolean) => Follower
  readonly freshness: (follower: Follower) => Freshness
  /** The copy was known to equal etcd. */
  readonly onEqual: () => void
}

/** Makes the target a snapshot, with the watch open from its revision on. Single use. */
export class SnapshotCopy {
  readonly #options: SnapshotCopyOptions
  /** What the copy is compared with the snapshot for. */
  #base: Position | undefined

  constructor(options: SnapshotCopyOptions) {
    this.#options = options
    this.#base = options.applied
  }

  /** Resolves with what follows, once the target shows the snapshot; when that fails, the watch is closed again. */
  async take(reason: ResyncReason, signal: AbortSignal): Promise<Follower> {
    const { rpc, prefix, state, clock, admission, open } = this.#options
    const at = { wallMs: clock.now(), monotonicMs: clock.monotonic() }
    const revision = COMPARING.has(reason) ? await this.#rebase(signal) : undefined
    const snapshot = await takeSnapshot(rpc, prefix, { signal, revision })
    state.observed(snapshot.revision)
    state.snapshotBegins(snapshot.count)
    admission.admitCount(snapshot)
    const from = { start: this.#startOf(snapshot), progress: new ReadSoFar(prefix) }
    const follower = open(from, meanSize(snapshot) >= FRAGMENT_MEAN_BYTES)
    try {
      await this.#restore(snapshot, from, follower, signal)
    } catch (error) {
      await follower[Symbol.asyncDispose]()
      throw error
    }
    this.#copied(reason, snapshot, at)
    return follower
  }

  /** The revision at which a snapshot shows exactly what the copy should hold; undefined = etcd has none any more. */
  async #rebase(signal: AbortSignal): Promise<number | undefined> {
    const { rpc, prefix, state } = this.#options
    if (this.#base === undefined) return undefined
    const options = { signal, maxBehind: catchUpLimit(this.#base), mayLoseEvents: !state.trustsProgress }
    const position = await comparablePosition(rpc, prefix, this.#base, options)
    this.#base = position ?? this.#base
    return position?.revision
  }

  #startOf({ header, revision, count }: Snapshot): Position {
    const { epoch, clusterId, revision: publishedRevision } = this.#options.state.lineage
    const otherCluster = header.clusterId !== 0n && clusterId !== 0n && clusterId !== header.clusterId
    const isReset = this.#options.state.resetPending || otherCluster || revision < publishedRevision
    const { clusterId: id, raftTerm } = header
    return { epoch: isReset ? epoch + 1 : epoch, clusterId: id, revision, raftTerm, keyCount: count, anchor: undefined }
  }

  async #restore(snapshot: Snapshot, from: StartedFrom, follower: Follower, signal: AbortSignal): Promise<void> {
    const { rpc, prefix, logger, name, state, writer, freshness, beat } = this.#options
    const onTaken = (keys: number) => {
      beat()
      state.snapshotRead(keys)
    }
    const context = { rpc, prefix, follower, signal, onTaken }
    try {
      const source = pinnedSource(snapshot, from, { ...context, select: this.#selector() })
      return await writer.restore(source, this.#base, signal)
    } catch (error) {
      if (!(error instanceof CompactedError)) throw error
      logger.info(
        { mirror: name },
        'the snapshot was compacted away while it was read; reading it page by page under the watch',
      )
    }
    state.snapshotBegins(snapshot.count)
    const source = overlaidSource({ ...context, select: this.#selector() }, freshness(follower))
    await writer.restore(source, this.#base, signal)
  }

  #selector(): SourceContext['select'] {
    const { admission, beat } = this.#options
    const select = admission.pageSelector()
    return async (page) => {
      beat()
      return await select(page)
    }
  }

  #copied(reason: ResyncReason, { revision, header }: Snapshot, at: { wallMs: number; monotonicMs: number }): void {
    const { state, clock, metrics, name, onEqual } = this.#options
    const seconds = (clock.monotonic() - at.monotonicMs) / 1000
    metrics.add('etcd_mirror_resync_total', { mirror: name, reason })
    metrics.observe('etcd_mirror_snapshot_duration_seconds', { mirror: name }, seconds)
    state.verified(at.wallMs)
    if (revision !== header.revision) return
    state.knownEqual(at)
    onEqual()
  }
}

function meanSize({ firstPage }: Snapshot): number {
  const bytes = firstPage.reduce((sum, { value }) => sum + value.length, 0)
  return firstPage.length === 0 ? 0 : bytes / firstPage.length
}
