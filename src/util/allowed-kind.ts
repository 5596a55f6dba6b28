/** Whoever may write these may do anything in the cluster, or run programs in it. */
export const NEVER_GROUPS: ReadonlySet<string> = new Set([
  'rbac.authorization.k8s.io',
  'admissionregistration.k8s.io',
  'apiextensions.k8s.io',
  'apiregistration.k8s.io',
  'certificates.k8s.io',
  'authentication.k8s.io',
  'authorization.k8s.io',
  'apps',
  'batch',
])
const NEVER_CORE: ReadonlySet<string> = new Set([
  'Pod',
  'PodTemplate',
  'ReplicationController',
  'ServiceAccount',
  'Namespace',
  'Node',
  'PersistentVolume',
  'Binding',
])

/** One allowed kind: `v1/ConfigMap`, `example.com/v1/Thing`. */
export interface AllowedKind {
  readonly group: string
  readonly version: string
  readonly kind: string
}

/** Why a text names no kind that may be allowed; else the kind. */
export function parseKind(text: string): AllowedKind | string {
  const parts = text.split('/')
  const [kind = '', version = '', group = ''] = parts.reverse()
  if (parts.length > 3 || !/^[A-Z][A-Za-z0-9]*$/.test(kind) || !/^v\d[a-z0-9]*$/.test(version)) {
    return 'is no kind: write version/Kind or group/version/Kind, as in v1/ConfigMap'
  }
  const isNever = group === '' ? NEVER_CORE.has(kind) : NEVER_GROUPS.has(group)
  return isNever ? 'may never be written by a mirror' : { group, version, kind }
}
