import { sidecarEtcdConf, sidecarMirrorYaml } from '../config/sidecar-files.ts'
import type { EtcdOptions } from '../etcd/options.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeObject, OwnerReference } from '../kube/kube-object.ts'
import { CONFIG_MAPS } from '../kube/kube-resource.ts'
import { assertOwn, fieldManagerOf, isOwnedBy, ownLabels } from '../targets/objects/object-identity.ts'
import { mirrorStays } from './mirror-stays.ts'

export interface SidecarConfigRequest {
  readonly mirror: KubeObject
  /** As it was written. */
  readonly connection: KubeObject
  /** What was made of the connection and its Secrets. */
  readonly etcd: EtcdOptions
  readonly owner: OwnerReference
}

/** Name of the ConfigMap with the configuration of the sidecars of a mirror. */
export function sidecarConfigName(mirror: string): string {
  return `etcd-mirror-${mirror}`
}

/**
 * Makes the ConfigMap with mirror.yaml and etcd.conf for the sidecars of one EtcdMirror what it should be, unless that is
 * being deleted. Rejects with `SinkError` TargetForeign when it is not the mirror's, and with `KubeError`.
 */
export async function writeSidecarConfig(
  client: KubeClient,
  request: SidecarConfigRequest,
  signal: AbortSignal,
): Promise<void> {
  const { name, namespace = '' } = request.mirror.metadata
  const { owner } = request
  const ref = { resource: CONFIG_MAPS, namespace, name: sidecarConfigName(name) }
  const live = await client.get(ref, signal)
  if (live !== undefined) assertOwn(live, { mirror: name, target: `ConfigMap ${ref.name}`, isShared: false })
  const data = dataOf(request)
  if (live !== undefined && isEqual(live, data, owner)) return
  if (!(await mirrorStays(client, namespace, owner, signal))) return
  const metadata = { name: ref.name, labels: ownLabels(name), ownerReferences: [owner] }
  const context = { signal, fieldManager: fieldManagerOf(name), expected: live ?? ('absent' as const) }
  await client.apply(ref, { metadata, data }, context)
}

function dataOf({ mirror, connection, etcd }: SidecarConfigRequest): Readonly<Record<string, string>> {
  const { tls, username } = etcd
  const facts = {
    hasTls: tls !== undefined,
    hasCa: tls?.caFile !== undefined,
    hasCertificate: tls?.certFile !== undefined,
    username,
  }
  const spec = (object: KubeObject) => object.spec as Readonly<Record<string, unknown>>
  return {
    'mirror.yaml': sidecarMirrorYaml(mirror.metadata.name, spec(mirror)),
    'etcd.conf': sidecarEtcdConf(spec(connection), facts),
  }
}

function isEqual(live: KubeObject, data: Readonly<Record<string, string>>, owner: OwnerReference): boolean {
  const found = (live.data ?? {}) as Readonly<Record<string, string>>
  return isOwnedBy(live, owner) && Object.entries(data).every(([file, text]) => found[file] === text)
}
