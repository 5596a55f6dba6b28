import { ownCopy } from '../util/own-copies.ts'
import { configHash } from './config-hash.ts'
import type { ParsedMirror } from './mirror-file-schema.ts'
import type { MirrorConfig } from './process-config.ts'
import type { TargetOptions } from './target-options.ts'

/** What a mirror is made of, from what was written. */
export function toMirrorConfig({
  name,
  prefix,
  maxStaleness,
  verifyEvery,
  keys,
  limits,
  safety,
  target,
}: ParsedMirror): MirrorConfig {
  return {
    name,
    prefix: ownCopy(Buffer.from(prefix, 'utf8')),
    maxStalenessMs: maxStaleness,
    verifyEveryMs: verifyEvery,
    keys,
    limits,
    safety,
    target,
    configHash: configHash({ prefix, keys, target: contentOf(target) }),
  }
}

/** What the content of the copy depends on. */
function contentOf(target: TargetOptions): unknown {
  if (!('files' in target)) return target
  // Modes are left out: files whose mode alone differs are chmod'ed, not written again.
  const { layout, render, rewrite } = target.files
  return { files: { layout, render, ...(rewrite.length > 0 && { rewrite }) } }
}
