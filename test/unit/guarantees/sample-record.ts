import { History } from '../../guarantees/history.ts'
import type { SeenChange, SeenStream, SeenTree } from '../../guarantees/record.ts'
import type { SettledHistory } from '../../guarantees/settled-history.ts'

type Assignments = Readonly<Record<string, string | undefined>>

/** A history: by revision what it wrote, undefined = deleted. */
export function era(revisions: Readonly<Record<number, Assignments>>): SettledHistory {
  const history = new History()
  for (const [revision, writes] of Object.entries(revisions))
    history.acknowledge(Number(revision), new Map(Object.entries(writes)))
  return history.settle()
}

/** A tree by its name, such as `7-1`. */
export function tree(
  name: string,
  entries: Readonly<Record<string, string>>,
  emptyDirectories: string[] = [],
): SeenTree {
  const [revision, generation = 0] = name.split('-').map(Number)
  return { name, revision: revision ?? 0, generation, entries: new Map(Object.entries(entries)), emptyDirectories }
}

/** A stream behind revision 1 with one key `a` = `1`; changes as `[revision, key, value]`. */
export function stream(
  changes: readonly (readonly [number, string, string | undefined])[],
  upTo = changes.at(-1)?.[0] ?? 1,
): SeenStream {
  const seen: SeenChange[] = changes.map(([revision, key, digest]) => ({ revision, key, digest }))
  return { from: 1, snapshot: new Map([['a', '1']]), changes: seen, upTo }
}

/** `a` is written three times; at 3 together with `b`; at 5 `b` is deleted and `c` written. */
export const SAMPLE = era({ 1: { a: '1' }, 3: { a: '3', b: '3b' }, 5: { b: undefined, c: '5' }, 6: { a: '6' } })
/** The same up to 3, then another story. */
export const OTHER = era({ 1: { a: '1' }, 3: { a: '3', b: '3b' }, 5: { a: '5x' }, 7: { a: '7x' } })
