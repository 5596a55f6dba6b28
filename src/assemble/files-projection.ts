import type { FilesTargetOptions } from '../targets/files/options.ts'
import type { ProjectionSource } from '../targets/files/projection.ts'
import { treeProjection } from '../targets/files/tree-projection.ts'

/**
 * How keys below `prefix` become the files of a mirror. What renders, renames and validates brings languages of its own
 * along, megabytes of them: it is loaded for mirrors that ask for it.
 */
export async function filesProjection(
  { render, rewrite, validate }: Pick<FilesTargetOptions, 'render' | 'rewrite' | 'validate'>,
  prefix: Buffer,
): Promise<ProjectionSource> {
  let projection: ProjectionSource = treeProjection
  if (render.some(({ tree }) => tree === undefined)) {
    const { renderingOf } = await import('../targets/render/rendering.ts')
    projection = renderingOf(render, prefix)
  }
  if (rewrite.length > 0) {
    const { Rewriting } = await import('../targets/rewrite/rewriting.ts')
    const { rewrittenProjection } = await import('../targets/rewrite/rewritten-projection.ts')
    projection = rewrittenProjection(projection, new Rewriting(rewrite), prefix)
  }
  if (validate.length > 0) {
    const { Validation } = await import('../targets/validate/validation.ts')
    const { validatedProjection } = await import('../targets/validate/validated-projection.ts')
    projection = validatedProjection(projection, new Validation(validate))
  }
  return projection
}
