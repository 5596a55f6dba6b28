import type { AllowedKind } from '../util/allowed-kind.ts'
import type { KubeClient } from './kube-client.ts'
import { KubeError } from './kube-error.ts'
import type { KubeResource } from './kube-resource.ts'

/** How the API serves these kinds. Rejects with `KubeError`, KubeNotFound when it does not serve one in namespaces. */
export async function resolveKinds(
  client: KubeClient,
  kinds: readonly AllowedKind[],
  signal: AbortSignal,
): Promise<readonly KubeResource[]> {
  const resources: KubeResource[] = []
  for (const { group, version, kind } of kinds) {
    const path = group === '' ? `/api/${version}` : `/apis/${group}/${version}`
    const list = await client.json(`look ${kind} up`, { method: 'GET', path, signal })
    const { resources: served = [] } = list as { resources?: { name: string; kind: string; namespaced: boolean }[] }
    const found = served.find((each) => each.kind === kind && each.namespaced && !each.name.includes('/'))
    if (found === undefined) {
      throw new KubeError('KubeNotFound', `Cannot look ${kind} up: the API serves no such kind in namespaces`)
    }
    resources.push({ group, version, kind, plural: found.name })
  }
  return resources
}
