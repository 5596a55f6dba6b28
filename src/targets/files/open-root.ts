import type { BackgroundFaults } from './background-faults.ts'
import { BackgroundTasks } from './background-tasks.ts'
import type { HeldRoot } from './held-root.ts'
import { InPlacePublisher } from './in-place-publisher.ts'
import { lockRoot, type RootLock } from './lock.ts'
import { claimRoot, examineRoot } from './owner.ts'
import type { Publisher } from './publisher.ts'
import type { PublisherOptions } from './publisher-options.ts'
import { SnapshotPublisher } from './snapshot-publisher.ts'
import { WorkArea } from './work-area.ts'

export interface OpenRootOptions extends Omit<PublisherOptions, 'claimed' | 'background' | 'work'> {
  readonly held: HeldRoot
  readonly faults: BackgroundFaults
}

/** A root that is this process's until the lock is released. */
export interface OpenRoot {
  readonly lock: RootLock
  readonly background: BackgroundTasks
  readonly work: WorkArea
  readonly publisher: Publisher
}

/** Takes a root over, with what stands below it. Throws `SinkError` and what a file call throws. */
export async function openRoot(options: OpenRootOptions, signal: AbortSignal): Promise<OpenRoot> {
  const { files, layout, owner, held, faults } = options
  const { directoryMode } = options.options
  const isHeld: HeldRoot['is'] = (root) => held.is(root)
  examineRoot(files, layout, owner.mirror, directoryMode, isHeld)
  const lock = await lockRoot(files, layout)
  const background = new BackgroundTasks(faults)
  try {
    const claimed = claimRoot(files, layout, owner, directoryMode, isHeld)
    held.remember(files, layout.root)
    const work = new WorkArea({ files, layout, background })
    const publisher = await openPublisher({ ...options, claimed, background, work }, signal)
    return { lock, background, work, publisher }
  } catch (error) {
    await background.stop()
    lock.release()
    throw error
  }
}

function openPublisher(options: PublisherOptions, signal: AbortSignal): Publisher | Promise<Publisher> {
  const isInPlace = options.options.layout === 'InPlace'
  return isInPlace ? new InPlacePublisher(options) : SnapshotPublisher.open(options, signal)
}
