import type { SeenStream, SeenTree } from '../record.ts'

/** A stream gives no change twice, and a name stands for one tree, never again and never for another content. */
export function unique(trees: readonly SeenTree[], streams: readonly SeenStream[]): readonly string[] {
  return [...namesOnce(trees), ...streams.flatMap(changesOnce)]
}

function namesOnce(trees: readonly SeenTree[]): readonly string[] {
  const seen = new Map<string, SeenTree>()
  let last: SeenTree | undefined
  return trees.flatMap((tree) => {
    const known = seen.get(tree.name)
    const cameBack = known !== undefined && last?.name !== tree.name
    seen.set(tree.name, tree)
    last = tree
    if (known === undefined) return []
    if (!isSame(known, tree)) return [`tree ${tree.name} changed after it was published`]
    return cameBack ? [`tree ${tree.name} was published again under its old name`] : []
  })
}

function changesOnce({ changes }: SeenStream): readonly string[] {
  const seen = new Set<string>()
  return changes.flatMap(({ revision, key }) => {
    const name = `${key} of revision ${revision}`
    if (seen.has(name)) return [`the stream gave ${name} twice`]
    seen.add(name)
    return []
  })
}

function isSame(left: SeenTree, right: SeenTree): boolean {
  if (left.entries.size !== right.entries.size) return false
  return [...left.entries].every(([key, digest]) => right.entries.get(key) === digest)
}
