/** Which names of trees were given away so far; names are never used twice, so that a path never changes its meaning. */
export interface NameHistory {
  /** Highest revision that any name began with; -1 = none. 0 is that of the fallback, which no store has. */
  readonly revision: number
  /** Highest number that any name ended with; 0 = none. */
  readonly suffix: number
}

export const NO_NAMES: NameHistory = { revision: -1, suffix: 0 }

/** `<revision>`, or `<revision>-<n>` where that name may have been used before. */
export function nextName(
  history: NameHistory,
  revision: number,
): { readonly name: string; readonly used: NameHistory } {
  if (revision > history.revision) return { name: String(revision), used: { ...history, revision } }
  const suffix = history.suffix + 1
  return { name: `${revision}-${suffix}`, used: { ...history, suffix } }
}

/** undefined = no name that `nextName` makes. */
export function parseName(name: string): NameHistory | undefined {
  const [, revision, suffix = '0'] = /^(0|[1-9]\d{0,15})(?:-([1-9]\d{0,15}))?$/.exec(name) ?? []
  if (revision === undefined) return undefined
  return { revision: Number(revision), suffix: Number(suffix) }
}

/** What is known from names that still stand. */
export function historyOf(names: readonly string[]): NameHistory {
  return names
    .map((name) => parseName(name) ?? NO_NAMES)
    .reduce(
      (left, right) => ({
        revision: Math.max(left.revision, right.revision),
        suffix: Math.max(left.suffix, right.suffix),
      }),
      NO_NAMES,
    )
}

/** Whether `name` was never given away: its tree was not finished. */
export function isUnused(history: NameHistory, name: string): boolean {
  const parsed = parseName(name)
  return parsed !== undefined && (parsed.revision > history.revision || parsed.suffix > history.suffix)
}
