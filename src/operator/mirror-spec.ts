import { toMirrorConfig } from '../config/mirror-config.ts'
import { type EtcdMirrorSpec, etcdMirrorSpecSchema, type TemplateFrom } from '../config/mirror-resource.ts'
import type { MirrorConfig } from '../config/process-config.ts'
import type { TargetOptions } from '../config/target-options.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import { mirrorFault } from './mirror-faults.ts'
import { type Refusal, refused } from './refusal.ts'
import { specFaults } from './spec-faults.ts'

/** What an EtcdMirror asks for. */
export type MirrorRequest = Source & Wish

/** What is to be read: that this is granted has to be known before anything else is done. */
interface Source {
  readonly connection: ConnectionRef
  readonly prefix: string
}

type Wish =
  | { readonly kind: 'mirror'; readonly config: MirrorConfig }
  /** Its template has to be read first. */
  | { readonly kind: 'template'; readonly from: TemplateFrom; readonly configWith: (text: string) => MirrorConfig }
  /** Sidecars make the files. */
  | { readonly kind: 'files' }

export type ConnectionRef = EtcdMirrorSpec['connectionRef']

/** Checks everything that the API server checks as well: its rules may be older than this program. */
export function mirrorRequest({ metadata, spec }: KubeObject): MirrorRequest | Refusal {
  const parsed = etcdMirrorSpecSchema.safeParse(spec)
  if (!parsed.success) return refused('InvalidSpec', specFaults(parsed.error))
  const fault = mirrorFault(parsed.data)
  if (fault !== undefined) return refused('InvalidSpec', fault)
  const { connectionRef: connection, prefix } = parsed.data
  return { connection, prefix, ...wishOf(metadata.name, parsed.data) }
}

function wishOf(name: string, { connectionRef: _, target, ...rest }: EtcdMirrorSpec): Wish {
  const { files, objects, ...others } = target
  const configOf = (wanted: TargetOptions) => withinMemory(toMirrorConfig({ ...rest, name, target: wanted }))
  if (files !== undefined) return { kind: 'files' }
  // Exactly one, as was checked.
  if (objects === undefined) return { kind: 'mirror', config: configOf(others as TargetOptions) }
  const { template = '', templateFrom: from, ...options } = objects
  const configWith = (text: string) => configOf({ objects: { ...options, template: text } })
  return from === undefined ? { kind: 'mirror', config: configWith(template) } : { kind: 'template', from, configWith }
}

/** Of groups of keys the values are kept, in the memory that all mirrors share. */
function withinMemory(config: MirrorConfig): MirrorConfig {
  const { target, limits } = config
  if (!('objects' in target) || target.objects.per === 'Key') return config
  return { ...config, limits: { ...limits, maxBytes: Math.min(limits.maxBytes, MAX_GROUPED_BYTES) } }
}

const MAX_GROUPED_BYTES = 16 * 1024 * 1024
