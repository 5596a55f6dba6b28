import type { KubeClient, ObjectRef } from '../../kube/kube-client.ts'
import type { KubeObject } from '../../kube/kube-object.ts'
import type { Totals } from '../../mirror/sink.ts'
import type { Position } from '../../replication/position.ts'
import type { Data } from './data-object.ts'
import type { DriftWatch } from './drift-watch.ts'
import { dataBytes } from './object-size.ts'
import type { ObjectWriter } from './object-writer.ts'
import type { PrefixState } from './prefix-state.ts'
import type { StoredState } from './stored-state.ts'
import type { KeyRefusal } from './tree-data.ts'

/** A complete state and what it looks like. */
export interface Rendered {
  readonly state: PrefixState
  readonly data: Data
  readonly refused: readonly KeyRefusal[]
}

/** What is known while the object is ours. */
export interface Opened {
  readonly ref: ObjectRef
  readonly client: KubeClient
  readonly writer: ObjectWriter
  readonly drift: DriftWatch
  /** What stands there, as far as is known. */
  live: KubeObject | 'absent' | undefined
  /** Which version the watch has shown last. */
  seen: KubeObject | 'absent' | undefined
  /** What consumers should see; undefined = not known before a snapshot. */
  shown: Rendered | undefined
  published: StoredState['published'] | undefined
  /** As it stands in the object. */
  stored: StoredState | undefined
  storedMs: number
  position: Position | undefined
}

/** What is, or would be, visible. */
export function totalsOf({ state, data }: Rendered): Totals {
  return { keys: state.keys, bytes: dataBytes(data) }
}
