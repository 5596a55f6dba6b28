import type { KubeResource } from '../kube/kube-resource.ts'
import { CLUSTER_ETCD_CONNECTIONS, ETCD_CONNECTIONS } from './operator-resources.ts'

/** The two kinds of resource that say how to reach an etcd. */
export type ConnectionKind = 'EtcdConnection' | 'ClusterEtcdConnection'

export function resourceOfConnection(kind: ConnectionKind): KubeResource {
  return kind === 'EtcdConnection' ? ETCD_CONNECTIONS : CLUSTER_ETCD_CONNECTIONS
}

/** Key of the connection that a mirror of a namespace refers to; keys of cluster connections begin with "/". */
export function connectionKey(
  ref: { readonly kind: ConnectionKind; readonly name: string },
  namespace: string,
): string {
  return ref.kind === 'EtcdConnection' ? `${namespace}/${ref.name}` : `/${ref.name}`
}

export function kindOfConnection(key: string): ConnectionKind {
  return key.startsWith('/') ? 'ClusterEtcdConnection' : 'EtcdConnection'
}
