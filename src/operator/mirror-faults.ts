import type { MirrorConfig } from '../config/process-config.ts'
import { templateTextFault } from '../targets/render/template-text.ts'

/** Every key is compared with every character of them, in the process that all mirrors share. */
const MAX_GLOB_LENGTH = 4096

/** Why the operator does not run a mirror although it is well-formed, with the path in the spec; undefined = it does. */
export function mirrorFault({ keys, target }: MirrorConfig): string | undefined {
  const length = [...keys.include, ...keys.exclude].reduce((sum, glob) => sum + glob.length, 0)
  if (length > MAX_GLOB_LENGTH) {
    return `spec.keys: the globs have ${length} characters together, at most ${MAX_GLOB_LENGTH} are possible`
  }
  if (!('objects' in target)) return undefined
  const { template } = target.objects
  const fault = templateTextFault(template)
  if (fault === undefined) return undefined
  const place = fault.line === undefined ? '' : `line ${fault.line}: `
  return `spec.target.objects.template: ${place}${fault.message}`
}
