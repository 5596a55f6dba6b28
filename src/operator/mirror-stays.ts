import type { KubeClient } from '../kube/kube-client.ts'
import type { OwnerReference } from '../kube/kube-object.ts'
import { ETCD_MIRRORS } from './operator-resources.ts'

/**
 * Whether an EtcdMirror is there and is not being deleted. The API server itself is asked: what a watch tells may be older
 * than what the garbage collector has done since. By a list, for which no right is needed that the operator has not anyway.
 */
export async function mirrorStays(
  client: KubeClient,
  namespace: string,
  { name, uid }: OwnerReference,
  signal: AbortSignal,
): Promise<boolean> {
  const query = { resource: ETCD_MIRRORS, namespace, fieldSelector: `metadata.name=${name}` }
  for await (const { items } of client.list(query, signal)) {
    if (items.some(({ metadata }) => metadata.uid === uid && metadata.deletionTimestamp === undefined)) return true
  }
  return false
}
