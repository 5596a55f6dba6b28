import { CRD_GROUP, CRD_VERSION } from '../config/crd.ts'
import type { KubeResource } from '../kube/kube-resource.ts'

const own = (kind: string): KubeResource => ({
  group: CRD_GROUP,
  version: CRD_VERSION,
  plural: `${kind.toLowerCase()}s`,
  kind,
})

export const ETCD_MIRRORS = own('EtcdMirror')
export const ETCD_CONNECTIONS = own('EtcdConnection')
export const CLUSTER_ETCD_CONNECTIONS = own('ClusterEtcdConnection')
export const NAMESPACES: KubeResource = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace' }
export const EVENTS: KubeResource = { group: '', version: 'v1', plural: 'events', kind: 'Event' }

/** The Lease that the leader holds, in the namespace of the operator. */
export const LEADER_LEASE = 'etcd-mirror-operator'

/** Names one object of a kind within the operator: `namespace/name`; `/name` when it belongs to the cluster. */
export function keyOf({
  metadata,
}: {
  readonly metadata: { readonly name: string; readonly namespace?: string }
}): string {
  return `${metadata.namespace ?? ''}/${metadata.name}`
}
