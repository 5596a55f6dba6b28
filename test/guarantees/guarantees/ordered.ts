import type { SeenStream, SeenTree } from '../record.ts'
import type { SettledHistory } from '../settled-history.ts'
import { erasOf } from './placement.ts'

/**
 * (Era, revision, generation) of what is published only grow, and so do the revisions of a stream. An era is known by the
 * state a tree shows; where several fit, all stay possible until a later tree settles it.
 */
export function ordered(
  trees: readonly SeenTree[],
  streams: readonly SeenStream[],
  eras: readonly SettledHistory[],
): readonly string[] {
  return [...treesInOrder(trees, eras), ...streams.flatMap(streamInOrder)]
}

function treesInOrder(trees: readonly SeenTree[], eras: readonly SettledHistory[]): readonly string[] {
  const violations: string[] = []
  let before: { tree: SeenTree; eras: readonly number[] } | undefined
  for (const tree of trees) {
    // What fits no era is torn or incomplete: others say so.
    const fitting = erasOf(tree, eras)
    if (fitting.length === 0) continue
    const last = before
    const possible = last
      ? fitting.filter((era) => last.eras.some((former) => follows(tree, era, last.tree, former)))
      : fitting
    if (possible.length === 0 && last) violations.push(`revision ${tree.name} was published after ${last.tree.name}`)
    before = { tree, eras: possible.length > 0 ? possible : fitting }
  }
  return violations
}

function follows(tree: SeenTree, era: number, last: SeenTree, lastEra: number): boolean {
  if (era !== lastEra) return era > lastEra
  if (tree.revision !== last.revision) return tree.revision > last.revision
  return tree.generation >= last.generation
}

function streamInOrder({ from, changes }: SeenStream): readonly string[] {
  let last = from
  return changes.flatMap(({ revision, key }) => {
    const isLate = revision < last || revision <= from
    const violation = `the stream gave ${key} of revision ${revision} after revision ${last}`
    last = Math.max(last, revision)
    return isLate ? [violation] : []
  })
}
