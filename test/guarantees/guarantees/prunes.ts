import type { RoundRecord, SeenTree } from '../record.ts'

/** The most trees that may stand side by side: those in rotation, and one that is being made or removed. */
const MOST_TREES = 10

/** What was deleted leaves nothing behind: no empty directory in any tree, and no tree beyond those in rotation. */
export function prunes(trees: readonly SeenTree[], end: RoundRecord['end']): readonly string[] {
  const all = end.tree ? [...trees, end.tree] : trees
  const empty = all.flatMap(({ name, emptyDirectories }) =>
    emptyDirectories.map((path) => `tree ${name} has the empty directory ${path}`),
  )
  const tooMany = end.trees.length > MOST_TREES ? [`${end.trees.length} trees stand in .revisions at the end`] : []
  return [...new Set([...empty.slice(0, 3), ...tooMany])]
}
