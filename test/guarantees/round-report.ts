/** What a round came to. */
export interface RoundReport {
  readonly seed: number
  /** Such as `etcd 3.6`. */
  readonly store: string
  /** How often each fault struck. */
  readonly faults: ReadonlyMap<string, number>
  /** That the prefix went through, over all histories. */
  readonly revisions: number
  /** Trees that a reader saw appear. */
  readonly publishes: number
  /** Trees that were read from end to end and held to the truth. */
  readonly reads: number
  readonly violations: readonly string[]
  /** Log of the mirror, for whoever looks into a violation. */
  readonly output: string
}
