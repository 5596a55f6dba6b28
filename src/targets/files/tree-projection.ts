import { resolveChanges } from './path-changes.ts'
import type { Projection, ProjectionSource } from './projection.ts'

/** One file a key, and nothing else. */
export const treeProjection: ProjectionSource = {
  needsValues: false,
  close: () => undefined,
  begin: (paths): Projection => ({
    take: (changes, keyErrors) => resolveChanges(paths, changes, keyErrors),
    outputs: async () => [],
    published: () => undefined,
    totals: undefined,
  }),
}
