import { toMirrorConfig } from '../config/mirror-config.ts'
import { type EtcdMirrorSpec, etcdMirrorSpecSchema, type TemplateFrom } from '../config/mirror-resource.ts'
import type { MirrorConfig } from '../config/process-config.ts'
import type { TargetOptions } from '../config/target-options.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import { prefixFault } from '../mirror/options.ts'
import { specFaults } from './spec-faults.ts'

/** What an EtcdMirror asks for. */
export type MirrorRequest =
  | WantedObjects
  /** Sidecars make the files. */
  | { readonly kind: 'files'; readonly connection: ConnectionRef; readonly prefix: string }
  /** Its template has to be read first. */
  | { readonly kind: 'template'; readonly from: TemplateFrom; readonly withText: (text: string) => WantedObjects }
  | { readonly kind: 'invalid'; readonly message: string }

export interface WantedObjects {
  readonly kind: 'mirror'
  readonly connection: ConnectionRef
  readonly config: MirrorConfig
}

export type ConnectionRef = EtcdMirrorSpec['connectionRef']

/** Checks everything that the API server checks as well: its rules may be older than this program. */
export function mirrorRequest({ metadata, spec }: KubeObject): MirrorRequest {
  const parsed = etcdMirrorSpecSchema.safeParse(spec)
  if (!parsed.success) return { kind: 'invalid', message: specFaults(parsed.error) }
  const { connectionRef: connection, target, ...rest } = parsed.data
  const fault = prefixFault(rest.prefix, rest.rawPrefix)
  if (fault !== undefined) return { kind: 'invalid', message: `spec.prefix: ${fault}` }
  const { files, configMap, secret, etcdKeys, objects } = target
  if ([files, configMap, secret, etcdKeys, objects].filter((member) => member !== undefined).length !== 1) {
    return { kind: 'invalid', message: `spec.target: must hold exactly one of: ${Object.keys(TARGETS).join(', ')}` }
  }
  const mirrorOf = (wanted: TargetOptions): WantedObjects => {
    const config = toMirrorConfig({ ...rest, name: metadata.name, target: wanted })
    return { kind: 'mirror', connection, config: withinMemory(config) }
  }
  if (configMap) return mirrorOf({ configMap })
  if (secret) return mirrorOf({ secret })
  if (etcdKeys) return mirrorOf({ etcdKeys })
  if (objects === undefined) return { kind: 'files', connection, prefix: rest.prefix }
  const { template = '', templateFrom: from, ...options } = objects
  const withText = (text: string) => mirrorOf({ objects: { ...options, template: text } })
  return from === undefined ? withText(template) : { kind: 'template', from, withText }
}

/** Of groups of keys the values are kept, in the memory that all mirrors share. */
function withinMemory(config: MirrorConfig): MirrorConfig {
  const { target, limits } = config
  if (!('objects' in target) || target.objects.per === 'Key') return config
  return { ...config, limits: { ...limits, maxBytes: Math.min(limits.maxBytes, MAX_GROUPED_BYTES) } }
}

const MAX_GROUPED_BYTES = 16 * 1024 * 1024

const TARGETS = { configMap: '', secret: '', etcdKeys: '', objects: '', files: '' }
