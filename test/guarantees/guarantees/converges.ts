import type { RoundRecord, SeenEnd } from '../record.ts'
import type { SettledHistory } from '../settled-history.ts'

/** With every fault healed the copy is what etcd holds, the mirror says so, and etcd holds what was written. */
export function converges({ end, eras }: Pick<RoundRecord, 'end' | 'eras'>): readonly string[] {
  const history = eras.at(-1)
  const written = history?.stateAt(history.lastRevision) ?? new Map()
  return [
    ...end.complaints.map((complaint) => `at the end the mirror says: ${complaint}`),
    ...differences('the copy at the end', end.tree?.entries ?? new Map(), end.store),
    ...differences("the engine's target at the end", end.engine, end.store),
    ...differences('what was written, beside what etcd holds at the end,', written, end.store),
    ...(end.tree === undefined ? ['nothing is published at the end'] : []),
  ]
}

function differences(
  what: string,
  found: ReadonlyMap<string, string>,
  expected: SeenEnd['store'] | ReturnType<SettledHistory['stateAt']>,
): readonly string[] {
  const missing = [...expected]
    .filter(([key, digest]) => found.get(key) !== digest)
    .map(([key]) => `${what} is wrong in ${key}`)
  const surplus = [...found.keys()]
    .filter((key) => !expected.has(key))
    .map((key) => `${what} has ${key}, which is gone`)
  return [...missing, ...surplus].slice(0, 5)
}
