import type { Clock } from '../../util/clock.ts'
import type { BackgroundTasks } from './background-tasks.ts'
import type { ModeOf } from './file-modes.ts'
import type { FileSystem } from './file-system.ts'
import type { FileTargetOptions } from './file-target-options.ts'
import type { Layout } from './layout.ts'
import type { Owner } from './owner.ts'
import type { OnPublishStep } from './publish-step.ts'
import type { VisibleState } from './publisher.ts'
import type { WorkArea } from './work-area.ts'

export interface PublisherOptions {
  readonly files: FileSystem
  readonly layout: Layout
  readonly options: FileTargetOptions
  /** As it is configured. */
  readonly owner: Owner
  /** As it stands below the root. */
  readonly claimed: Owner
  readonly clock: Clock
  readonly background: BackgroundTasks
  readonly work: WorkArea
  readonly modeOf: ModeOf
  readonly onStep: OnPublishStep
  /** Whether `inspect` would look at a publish that changes these paths. */
  readonly inspects: (changed: readonly string[]) => boolean
  /**
   * Looks at a tree that is complete and out of sight; what it throws keeps it there. `changed`: paths that differ from
   * what is visible; undefined = any.
   */
  readonly inspect: (
    directory: string,
    changed: readonly string[] | undefined,
    state: VisibleState,
    signal: AbortSignal,
  ) => Promise<void>
}
