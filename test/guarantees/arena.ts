import { mkdir } from 'node:fs/promises'
import type { TempDir } from '../support/temp-dir.ts'
import type { EngineUnderTest } from './engine-under-test.ts'
import type { MirrorUnderTest } from './mirror-under-test.ts'
import type { Network } from './network.ts'
import type { Observer } from './observer.ts'
import type { Readers } from './readers.ts'
import type { Store } from './store.ts'
import type { StoreWriter } from './store-writer.ts'
import type { StreamRecorder } from './stream-recorder.ts'
import type { Timeline } from './timeline.ts'
import type { Workload } from './workload.ts'

/** Everything of a round that a fault may lay hands on. */
export interface Arena {
  readonly store: Store
  readonly network: Network
  readonly mirror: MirrorUnderTest
  readonly readers: Readers
  readonly engine: EngineUnderTest
  readonly stream: StreamRecorder
  readonly workload: Workload
  readonly timeline: Timeline
  readonly observer: Observer
  /** Past the network, as the workload's. */
  readonly writer: StoreWriter
  /** For snapshots and the like. */
  readonly scratch: TempDir
}

let count = 0

/** A path in the scratch directory that nobody has used. */
export async function freshPath({ scratch }: Pick<Arena, 'scratch'>, name: string): Promise<string> {
  await mkdir(scratch.path, { recursive: true })
  count += 1
  return `${scratch.path}/${name}-${count}`
}
