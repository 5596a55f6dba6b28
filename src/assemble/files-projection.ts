import type { MirrorConfig } from '../config/process-config.ts'
import type { FilesTargetOptions } from '../targets/files/options.ts'
import type { ProjectionSource } from '../targets/files/projection.ts'
import { renderingOf } from '../targets/render/rendering.ts'
import { Rewriting } from '../targets/rewrite/rewriting.ts'
import { rewrittenProjection } from '../targets/rewrite/rewritten-projection.ts'
import { validatedProjection } from '../targets/validate/validated-projection.ts'
import { Validation } from '../targets/validate/validation.ts'

/** What becomes of each file that a rule of `validate` may refuse. */
export type JudgeFile = (judge: () => void) => void

/** How keys become the files of a mirror: other names, what is rendered, and what the files have to be. */
export function filesProjection(
  { prefix }: Pick<MirrorConfig, 'prefix'>,
  { render, rewrite, validate }: FilesTargetOptions,
  judged: JudgeFile = (judge) => judge(),
): ProjectionSource {
  const rewritten = rewrittenProjection(renderingOf(render, prefix), new Rewriting(rewrite), prefix)
  const validation = new Validation(validate)
  return validatedProjection(rewritten, {
    isEmpty: validation.isEmpty,
    check: (path, bytes) => judged(() => validation.check(path, bytes)),
  })
}
