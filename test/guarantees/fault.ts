import type { Arena } from './arena.ts'
import type { Random } from './random.ts'

/** One thing that goes wrong, and is mended again before `strike` resolves. */
export interface Fault {
  /** Such as `cut`; unique. */
  readonly name: string
  /** Whether this round has what it takes. Default: it has. */
  readonly suits?: (arena: Arena) => boolean
  /** Takes long: for long runs alone. Default false. */
  readonly isHeavy?: boolean
  readonly strike: (arena: Arena, random: Random) => Promise<void>
}
