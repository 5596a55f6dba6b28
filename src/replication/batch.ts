import type { Change } from './change.ts'

/** Every event of one or more whole revisions, in revision order. */
export interface Batch {
  readonly kind: 'batch'
  readonly changes: readonly Change[]
  /** The last of the revisions, > 0. Everything under the prefix up to and including it has been seen. */
  readonly revision: number
}

/** The server vouches that there is nothing under the prefix between the last batch and `revision`. */
export interface Progress {
  readonly kind: 'progress'
  readonly revision: number
  /** true when the server answered a request for it, false when it came by the server's own timer. */
  readonly requested: boolean
}
