import type { KeyValue } from '../../etcd/key-value.ts'
import type { KubeClient } from '../../kube/kube-client.ts'
import type { Position } from '../../replication/position.ts'
import type { CopyComparison } from '../files/compare-copy.ts'

/** Whose objects are looked at, and where. */
export interface LookOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly mirrorName: string
  /** Stripped from every key. */
  readonly prefix: Buffer
  readonly configHash: string
  readonly signal: AbortSignal
}

/** What objects are compared with: a complete state. */
export interface StandingSource {
  /** All keys that belong to the copy. What it throws is rethrown. */
  readonly pages: AsyncIterable<readonly KeyValue[]>
  readonly position: Position
  readonly signal: AbortSignal
}

/** What stands in the API server for a mirror, for whoever only looks: takes no Lease and writes nothing. */
export interface StandingObjects {
  /** undefined = nothing is published. */
  readonly copy:
    | {
        /** The revision that it was published for. */
        readonly revision: number
        readonly position: Position
        /** undefined = not known. */
        readonly keys: number | undefined
        /** Whether it was made with this configuration. */
        readonly isSameConfig: boolean
      }
    | undefined
  /** What a publish of a state would write, by name and size. Throws `GuardError` and `SinkError`. */
  compare(source: StandingSource): Promise<CopyComparison>
}
