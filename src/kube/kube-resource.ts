/** A kind of object as the API serves it. */
export interface KubeResource {
  /** '' = the core group. */
  readonly group: string
  readonly version: string
  /** As in URLs and in RBAC rules. */
  readonly plural: string
  readonly kind: string
}

export const CONFIG_MAPS: KubeResource = { group: '', version: 'v1', plural: 'configmaps', kind: 'ConfigMap' }
export const SECRETS: KubeResource = { group: '', version: 'v1', plural: 'secrets', kind: 'Secret' }
export const LEASES: KubeResource = { group: 'coordination.k8s.io', version: 'v1', plural: 'leases', kind: 'Lease' }

export function apiVersionOf({ group, version }: KubeResource): string {
  return group === '' ? version : `${group}/${version}`
}

/** URL path of the objects of a namespace (undefined = of the cluster), or of one of them. */
export function resourcePath(resource: KubeResource, namespace: string | undefined, name?: string): string {
  const base = resource.group === '' ? '/api' : '/apis'
  const within = namespace === undefined ? '' : `/namespaces/${encodeURIComponent(namespace)}`
  const one = name === undefined ? '' : `/${encodeURIComponent(name)}`
  return `${base}/${apiVersionOf(resource)}${within}/${resource.plural}${one}`
}
