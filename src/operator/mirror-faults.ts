import { type EtcdMirrorSpec, MIRROR_TARGETS } from '../config/mirror-resource.ts'
import { prefixFault } from '../mirror/options.ts'
import { templateFault } from './template-fault.ts'

/** Every key is compared with every character of them, in the process that all mirrors share. */
const MAX_GLOB_LENGTH = 4096

/** Why the operator does not run a mirror although its fields are well-formed, with the path in the spec; undefined = it does. */
export function mirrorFault({ prefix, rawPrefix, keys, target }: EtcdMirrorSpec): string | undefined {
  const template = target.objects?.template
  const faults = {
    prefix: prefixFault(prefix, rawPrefix),
    target: targetFault(target),
    keys: globsFault(keys),
    'target.objects.template': template === undefined ? undefined : templateFault(template),
  }
  const [first] = Object.entries(faults).filter(([, fault]) => fault !== undefined)
  return first && `spec.${first[0]}: ${first[1]}`
}

function targetFault(target: EtcdMirrorSpec['target']): string | undefined {
  const count = Object.values(target).filter((member) => member !== undefined).length
  return count === 1 ? undefined : `must hold exactly one of: ${MIRROR_TARGETS.join(', ')}`
}

function globsFault({ include, exclude }: EtcdMirrorSpec['keys']): string | undefined {
  const length = [...include, ...exclude].reduce((sum, glob) => sum + glob.length, 0)
  if (length <= MAX_GLOB_LENGTH) return undefined
  return `the globs have ${length} characters together, at most ${MAX_GLOB_LENGTH} are possible`
}
