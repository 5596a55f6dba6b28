import type { PathChange } from '../files/path-change.ts'
import type { Projection, ProjectionSource } from '../files/projection.ts'
import type { Validation } from './validation.ts'

/** As `source`, but files that are not what they have to be hold the copy, or whatever `check` does about them. */
export function validatedProjection(source: ProjectionSource, validation: Pick<Validation, 'check'>): ProjectionSource {
  const check = (changes: PathChange[]): PathChange[] => {
    for (const { path, bytes } of changes) if (bytes !== undefined) validation.check(path, bytes)
    return changes
  }
  return {
    needsValues: source.needsValues,
    close: () => source.close(),
    begin: (paths): Projection => {
      const inner = source.begin(paths)
      return {
        take: (changes, keyErrors) => check(inner.take(changes, keyErrors)),
        outputs: async (position, signal) => check(await inner.outputs(position, signal)),
        published: () => inner.published(),
        get totals() {
          return inner.totals
        },
      }
    },
  }
}
