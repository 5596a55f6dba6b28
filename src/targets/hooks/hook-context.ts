import type { Clock } from '../../util/clock.ts'
import type { Logger } from '../../util/logger.ts'
import type { Metrics } from '../../util/metrics.ts'
import type { FileSystem } from '../files/file-system.ts'

/** What the hooks of one mirror share. */
export interface HookContext {
  readonly mirror: string
  /** The mirror's root. */
  readonly root: string
  /** Ours, below the root: for what has to be remembered. */
  readonly directory: string
  readonly files: FileSystem
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  /** A run after a publish failed, or, undefined, went well again. Must not throw. */
  readonly onResult: (hook: string, failure: Error | undefined) => void
}
