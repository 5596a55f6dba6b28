import type { CompactionStatus } from '../compactor/compaction-status.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'

/** One thing that is wrong with a configuration file. */
export interface ConfigFault {
  readonly file: string
  readonly line?: number | undefined
  readonly column?: number | undefined
  readonly path: string
  readonly message: string
}

/** Which configuration is in use, and what came of the last other one. */
export interface ConfigStatus {
  readonly loadedAt: Date
  readonly files: readonly string[]
  /** The files were broken at the start: the configuration that was accepted before is in use. */
  readonly usesAcceptedCopy: boolean
  /** undefined = the files did not change since the start. */
  readonly lastReload:
    | { readonly at: Date; readonly result: 'success' | 'error'; readonly problems: readonly ConfigFault[] }
    | undefined
}

/** What the process says of itself and its mirrors. */
export interface StatusReport {
  readonly version: string
  readonly startedAt: Date
  readonly config: ConfigStatus
  /** undefined = auto-compact is off. */
  readonly compaction: CompactionStatus | undefined
  readonly mirrors: readonly MirrorStatus[]
}
