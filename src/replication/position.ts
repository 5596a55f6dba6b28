/**
 * The last put that was still live at the position's revision. Reading the same key at that revision again and finding
 * anything else proves that the store is not the one the position was taken from: a restored store has the same cluster
 * id, and one that has overtaken the position has a higher revision as well.
 */
export interface Anchor {
  readonly key: Buffer
  readonly modRevision: number
  readonly createRevision: number
  readonly version: number
  /** SHA-256 of the value, base64. Two histories that write the same keys in the same order differ only here. */
  readonly valueHash: string
}

/** Where a mirror stands in the history of one etcd store. */
export interface Position {
  /** How many resets of the store were proven before this position; a higher epoch is newer at any revision. */
  readonly epoch: number
  readonly clusterId: bigint
  /** The last whole revision that was applied. */
  readonly revision: number
  readonly raftTerm: number
  /** Keys under the prefix at `revision`. */
  readonly keyCount: number
  /** undefined = none known (empty prefix, or its key was deleted): the position cannot be proven. */
  readonly anchor: Anchor | undefined
}
