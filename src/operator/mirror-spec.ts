import { toMirrorConfig } from '../config/mirror-config.ts'
import { type EtcdMirrorSpec, etcdMirrorSpecSchema } from '../config/mirror-resource.ts'
import type { MirrorConfig } from '../config/process-config.ts'
import type { TargetOptions } from '../config/target-options.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import { prefixFault } from '../mirror/options.ts'
import { specFaults } from './spec-faults.ts'

/** What an EtcdMirror asks for. */
export type MirrorRequest =
  | { readonly kind: 'mirror'; readonly connection: ConnectionRef; readonly config: MirrorConfig }
  /** Sidecars make the files. */
  | { readonly kind: 'files'; readonly connection: ConnectionRef; readonly prefix: string }
  | { readonly kind: 'invalid'; readonly message: string }

export type ConnectionRef = EtcdMirrorSpec['connectionRef']

/** Checks everything that the API server checks as well: its rules may be older than this program. */
export function mirrorRequest({ metadata, spec }: KubeObject): MirrorRequest {
  const parsed = etcdMirrorSpecSchema.safeParse(spec)
  if (!parsed.success) return { kind: 'invalid', message: specFaults(parsed.error) }
  const { connectionRef, target, ...rest } = parsed.data
  const fault = prefixFault(rest.prefix, rest.rawPrefix)
  if (fault !== undefined) return { kind: 'invalid', message: `spec.prefix: ${fault}` }
  const { files, configMap, secret, etcdKeys, objects } = target
  const written: (TargetOptions | 'files' | undefined)[] = [
    files && 'files',
    configMap && { configMap },
    secret && { secret },
    etcdKeys && { etcdKeys },
    objects && { objects },
  ]
  const [wanted, ...others] = written.filter((member) => member !== undefined)
  if (wanted === undefined || others.length > 0) {
    return { kind: 'invalid', message: `spec.target: must hold exactly one of: ${Object.keys(TARGETS).join(', ')}` }
  }
  if (wanted === 'files') return { kind: 'files', connection: connectionRef, prefix: rest.prefix }
  const config = toMirrorConfig({ ...rest, name: metadata.name, target: wanted })
  return { kind: 'mirror', connection: connectionRef, config: withinMemory(config) }
}

/** Of groups of keys the values are kept, in the memory that all mirrors share. */
function withinMemory(config: MirrorConfig): MirrorConfig {
  const { target, limits } = config
  if (!('objects' in target) || target.objects.per === 'Key') return config
  return { ...config, limits: { ...limits, maxBytes: Math.min(limits.maxBytes, MAX_GROUPED_BYTES) } }
}

const MAX_GROUPED_BYTES = 16 * 1024 * 1024

const TARGETS = { configMap: '', secret: '', etcdKeys: '', objects: '', files: '' }
