import { atomic } from './guarantees/atomic.ts'
import { complete } from './guarantees/complete.ts'
import { converges } from './guarantees/converges.ts'
import { ordered } from './guarantees/ordered.ts'
import { prunes } from './guarantees/prunes.ts'
import { reliable } from './guarantees/reliable.ts'
import { resumable } from './guarantees/resumable.ts'
import { touchesNothingElse } from './guarantees/touches-nothing-else.ts'
import { unique } from './guarantees/unique.ts'
import type { RoundRecord } from './record.ts'

export type Guarantee = keyof typeof GUARANTEES

/** Every guarantee and how a record is held to it: what is wrong, one line each. */
export const GUARANTEES = {
  ordered: ({ roots, streams, eras }: RoundRecord) => [
    ...roots.flatMap((trees) => ordered(trees, [], eras)),
    ...ordered([], streams, eras),
  ],
  unique: ({ roots, streams }: RoundRecord) => [...roots.flatMap((trees) => unique(trees, [])), ...unique([], streams)],
  atomic: ({ roots, patientTrees, eras }: RoundRecord) => atomic([...roots.flat(), ...patientTrees], eras),
  complete: ({ roots, patientTrees, eras }: RoundRecord) => complete([...roots.flat(), ...patientTrees], eras),
  resumable: ({ restarts }: RoundRecord) => resumable(restarts),
  reliable: ({ streams, eras }: RoundRecord) => reliable(streams, eras),
  converges,
  prunes: ({ roots, end }: RoundRecord) => prunes(roots.flat(), end),
  touchesNothingElse,
} as const satisfies Readonly<Record<string, (record: RoundRecord) => readonly string[]>>

/** What a server that loses events itself cannot be held to at every instant: there the copy has to converge. */
export const NEEDS_A_SOUND_SERVER: ReadonlySet<Guarantee> = new Set(['atomic', 'complete', 'reliable'])

/** One line a violation, with the guarantee's name in front. */
export function judge(record: RoundRecord, guarantees: readonly Guarantee[]): readonly string[] {
  return guarantees.flatMap((name) => GUARANTEES[name](record).map((line) => `${name}: ${line}`))
}
