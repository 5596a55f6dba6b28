import type { FilesTargetOptions } from '../targets/files/options.ts'
import type {
  ConfigMapTargetOptions,
  EtcdKeysTargetOptions,
  ObjectsTargetOptions,
  SecretTargetOptions,
} from '../targets/objects/options.ts'

/** Where the copy of a mirror goes: one member. */
export type TargetOptions =
  | { readonly files: FilesTargetOptions }
  | { readonly configMap: ConfigMapTargetOptions }
  | { readonly secret: SecretTargetOptions }
  | { readonly etcdKeys: EtcdKeysTargetOptions }
  | { readonly objects: ObjectsTargetOptions }

export type TargetKind = 'files' | 'configMap' | 'secret' | 'etcdKeys' | 'objects'

/** In the order of the documentation. */
export const TARGET_KINDS: readonly TargetKind[] = ['files', 'configMap', 'secret', 'etcdKeys', 'objects']

export function targetKind(target: TargetOptions): TargetKind {
  return TARGET_KINDS.find((kind) => kind in target) ?? 'files'
}

/** The directory of a files target; undefined = another kind. */
export function targetRoot(target: TargetOptions): string | undefined {
  return 'files' in target ? target.files.root : undefined
}

/** Where the copy stands, for people: `/mirror/app`, `configMap/app`, `etcdKeys`. Equal = the same place. */
export function targetPlace(target: TargetOptions): string {
  if ('files' in target) return target.files.root
  if ('configMap' in target) return `configMap/${target.configMap.name}`
  if ('secret' in target) return `secret/${target.secret.name}`
  return targetKind(target)
}
