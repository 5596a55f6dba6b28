import type { EtcdRpc } from '../etcd/rpc.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import type { LimitOptions, SafetyOptions } from './guards.ts'
import type { KeySelectionOptions } from './key-selection.ts'
import type { Sink, SnapshotSource } from './sink.ts'

/** A fallback copy. */
export interface Seed {
  /** From the start of the mirror on. */
  readonly afterMs: number
  /** Opened anew at each try. */
  readonly open: () => SnapshotSource
}

/** What a mirror is made of. */
export interface MirrorOptions {
  readonly name: string
  readonly prefix: Buffer
  /** Printable name of the target, for people. */
  readonly target: string
  readonly maxStalenessMs: number
  /** 0 = never. */
  readonly verifyEveryMs: number
  readonly keys: KeySelectionOptions
  readonly limits: LimitOptions
  readonly safety: SafetyOptions
  /** What to publish when nothing of etcd could be published for so long and nothing was published before. */
  readonly seed?: Seed | undefined
  /** Take a snapshot after every reconnect, as the seed's option of that name does. */
  readonly resyncAfterReconnect: boolean
  readonly rpc: EtcdRpc
  readonly sink: Sink
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** Called whenever the mirror moved: the process lives. */
  readonly beat: () => void
  /** Called whenever the target was opened: it is this mirror's. Must not throw. */
  readonly onOpened?: () => void
}
