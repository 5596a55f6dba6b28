import type { Position } from '../../replication/position.ts'
import type { KeyEntry } from './key-entry.ts'

/** What an output is made of. */
export interface RenderContext {
  /** Every key of the state, sorted by its bytes; those that the output does not read may lack their values. */
  readonly entries: readonly KeyEntry[]
  readonly position: Position
  readonly signal: AbortSignal
}

/** A file that is made of many keys. */
export interface Output {
  /** Path below the tree's root. */
  readonly file: string
  /** Whether a key could make a difference to it. */
  reads(key: string): boolean
  /** The bytes of the file. Throws `GuardError` when these keys make none; else rejects with the abort reason. */
  render(context: RenderContext): Promise<Buffer>
}
