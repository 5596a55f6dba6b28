/** Why the mirror takes a complete snapshot instead of going on with events. */
export type ResyncReason =
  | 'start'
  | 'compacted'
  | 'reset'
  | 'unproven'
  | 'behind'
  | 'overflow'
  | 'verify'
  | 'lost'
  | 'request'
  | 'reconnect'
  | 'target'

/** Ends a follow phase: not a failure, but the way to a snapshot. */
export class ResyncNeeded extends Error {
  readonly reason: ResyncReason

  constructor(reason: ResyncReason) {
    super(`a snapshot is needed: ${reason}`)
    this.name = 'ResyncNeeded'
    this.reason = reason
  }
}
