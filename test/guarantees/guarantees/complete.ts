import type { SeenTree } from '../record.ts'
import type { SettledHistory } from '../settled-history.ts'
import { differencesFrom, erasOf } from './placement.ts'

/** Every tree is the prefix at the revision of its name, in one of the store's histories: nothing lost, nothing left over. */
export function complete(trees: readonly SeenTree[], eras: readonly SettledHistory[]): readonly string[] {
  return trees.flatMap((tree) => {
    if (erasOf(tree, eras).length > 0) return []
    const closest = eras.map((era) => differencesFrom(tree, era)).sort((a, b) => a.length - b.length)[0] ?? []
    return [`tree ${tree.name} is not the prefix at its revision: ${closest.join(', ')}`]
  })
}
