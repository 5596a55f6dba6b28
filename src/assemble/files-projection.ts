import type { MirrorConfig } from '../config/process-config.ts'
import type { FilesTargetOptions } from '../targets/files/options.ts'
import type { ProjectionSource } from '../targets/files/projection.ts'
import { treeProjection } from '../targets/files/tree-projection.ts'
import type { ValidateOptions } from '../targets/validate/options.ts'

/** What becomes of each file that a rule of `validate` may refuse. */
export type JudgeFile = (judge: () => void) => void

/**
 * How keys become the files of a mirror: other names, what is rendered, and what the files have to be. All of that brings
 * languages of its own along, megabytes of them: it is loaded for mirrors that ask for it.
 */
export async function filesProjection(
  { prefix }: Pick<MirrorConfig, 'prefix'>,
  { render, rewrite, validate }: FilesTargetOptions,
  judged: JudgeFile = (judge) => judge(),
): Promise<ProjectionSource> {
  let projection = treeProjection
  if (render.some(({ tree }) => tree === undefined)) {
    const { renderingOf } = await import('../targets/render/rendering.ts')
    projection = renderingOf(render, prefix)
  }
  if (rewrite.length > 0) {
    const { Rewriting } = await import('../targets/rewrite/rewriting.ts')
    const { rewrittenProjection } = await import('../targets/rewrite/rewritten-projection.ts')
    projection = rewrittenProjection(projection, new Rewriting(rewrite), prefix)
  }
  return validate.length > 0 ? await validated(projection, validate, judged) : projection
}

async function validated(
  projection: ProjectionSource,
  rules: readonly ValidateOptions[],
  judged: JudgeFile,
): Promise<ProjectionSource> {
  const { Validation } = await import('../targets/validate/validation.ts')
  const { validatedProjection } = await import('../targets/validate/validated-projection.ts')
  const validation = new Validation(rules)
  return validatedProjection(projection, { check: (path, bytes) => judged(() => validation.check(path, bytes)) })
}
