import { type Digest, EMPTY_VALUE } from '../digest.ts'
import type { SeenTree } from '../record.ts'
import type { SettledHistory } from '../settled-history.ts'

/**
 * A revision is seen whole or not at all: where a tree shows one of its values, it shows all else that the revision did,
 * but for what a later revision did over it. Judged by the values alone, whatever revision the tree claims to be.
 */
export function atomic(trees: readonly SeenTree[], eras: readonly SettledHistory[]): readonly string[] {
  const written = eras.map(revisionsByDigest)
  return trees.flatMap((tree) => {
    const torn = eras.map((era, index) => tornIn(tree, era, written[index] as WrittenIn))
    // With several eras one of them tells the truth.
    return torn.every((lines) => lines.length > 0) ? (torn.at(-1) ?? []).slice(0, 3) : []
  })
}

/** Which revision wrote a value. */
type WrittenIn = ReadonlyMap<Digest, number>

function revisionsByDigest(era: SettledHistory): WrittenIn {
  const written = new Map<Digest, number>()
  for (const revision of era.revisions) {
    for (const digest of era.writesAt(revision).values()) {
      if (digest !== undefined && digest !== EMPTY_VALUE) written.set(digest, revision)
    }
  }
  return written
}

function tornIn(tree: SeenTree, era: SettledHistory, written: WrittenIn): readonly string[] {
  const shown = new Set([...tree.entries.values()].flatMap((digest) => written.get(digest) ?? []))
  return [...shown].flatMap((revision) =>
    [...era.writesAt(revision)]
      .filter(([key, digest]) => !showsAtLeast(tree, key, digest, revision, era, written))
      .map(([key]) => `tree ${tree.name} shows revision ${revision}, but not what it did to ${key}`),
  )
}

function showsAtLeast(
  tree: SeenTree,
  key: string,
  digest: Digest | undefined,
  revision: number,
  era: SettledHistory,
  written: WrittenIn,
): boolean {
  const found = tree.entries.get(key)
  if (found === digest) return true
  // A value of many writes, or a key that is gone: the revision did it, or some later one.
  if (found === undefined || found === EMPTY_VALUE) return era.wasSetAfter(revision, key, found)
  return (written.get(found) ?? 0) > revision
}
