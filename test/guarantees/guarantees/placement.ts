import type { SeenTree } from '../record.ts'
import type { SettledHistory } from '../settled-history.ts'

/** The eras in which the prefix held exactly what the tree shows at the revision of its name: none, or several. */
export function erasOf(tree: SeenTree, eras: readonly SettledHistory[]): readonly number[] {
  return eras.flatMap((era, index) => (isStateOf(tree, era) ? [index] : []))
}

/** One line for each of the first differences. */
export function differencesFrom(tree: SeenTree, era: SettledHistory): readonly string[] {
  const lines: string[] = []
  const expected = era.stateAt(tree.revision)
  for (const [key, digest] of expected) {
    const found = tree.entries.get(key)
    if (found === undefined) lines.push(`${key} is missing`)
    else if (found !== digest) lines.push(`${key} has another value`)
  }
  for (const key of tree.entries.keys()) if (!expected.has(key)) lines.push(`${key} should not be there`)
  return lines.length > 3 ? [...lines.slice(0, 3), `and ${lines.length - 3} more`] : lines
}

function isStateOf(tree: SeenTree, era: SettledHistory): boolean {
  if (tree.entries.size !== era.countAt(tree.revision)) return false
  for (const [key, digest] of tree.entries) if (era.valueAt(key, tree.revision) !== digest) return false
  return true
}
