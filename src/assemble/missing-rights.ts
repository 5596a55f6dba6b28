import type { MirrorConfig } from '../config/process-config.ts'
import { type AccessRequest, mayDo } from '../kube/access-review.ts'
import { resolveKinds } from '../kube/discovery.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import { CONFIG_MAPS, SECRETS } from '../kube/kube-resource.ts'
import { ETCD_KEYS } from '../targets/objects/etcd-key-projection.ts'
import { toTargetError } from '../targets/objects/kube-fault.ts'
import { dataObjectRules, manyObjectsRules, type RbacRule } from '../targets/objects/rbac-rules.ts'
import type { AllowedKind } from '../util/allowed-kind.ts'

export interface MissingRightsOptions {
  readonly connect: () => Promise<KubeClient>
  /** What the target `objects` may write. */
  readonly allowKinds: readonly AllowedKind[]
  readonly signal: AbortSignal
}

/**
 * What the credentials in use lack of the least rights that a mirror needs for its Kubernetes target, each rule with the
 * verbs that are missing alone. undefined = the target is none of Kubernetes. Writes nothing. Rejects with `SinkError` when
 * the API does not tell.
 */
export async function missingRights(
  mirror: MirrorConfig,
  { connect, allowKinds, signal }: MissingRightsOptions,
): Promise<{ readonly namespace: string; readonly rules: readonly RbacRule[] } | undefined> {
  if ('files' in mirror.target) return undefined
  try {
    const client = await connect()
    const needed = await neededRules(mirror, client, allowKinds, signal)
    const missing = await Promise.all(needed.map((rule) => missingOf(rule, client, signal)))
    return { namespace: client.namespace, rules: missing.filter(({ verbs }) => verbs.length > 0) }
  } catch (error) {
    throw toTargetError(error, 'the Kubernetes target')
  }
}

async function neededRules(
  { name, target }: MirrorConfig,
  client: KubeClient,
  allowKinds: readonly AllowedKind[],
  signal: AbortSignal,
): Promise<readonly RbacRule[]> {
  if ('configMap' in target) return dataObjectRules(name, CONFIG_MAPS, target.configMap.name)
  if ('secret' in target) return dataObjectRules(name, SECRETS, target.secret.name)
  if ('etcdKeys' in target) return manyObjectsRules(name, [ETCD_KEYS])
  return manyObjectsRules(name, await resolveKinds(client, allowKinds, signal))
}

async function missingOf(rule: RbacRule, client: KubeClient, signal: AbortSignal): Promise<RbacRule> {
  const isAllowed = await Promise.all(
    rule.verbs.map(async (verb) => {
      const answers = requestsOf(rule, verb, client.namespace).map((request) => mayDo(client, request, signal))
      return (await Promise.all(answers)).every((answer) => answer)
    }),
  )
  return { ...rule, verbs: rule.verbs.filter((_, index) => isAllowed[index] === false) }
}

function requestsOf(rule: RbacRule, verb: string, namespace: string): readonly AccessRequest[] {
  const { apiGroups, resources, resourceNames = [undefined] } = rule
  return apiGroups.flatMap((group) =>
    resources.flatMap((resource) => resourceNames.map((name) => ({ namespace, verb, group, resource, name }))),
  )
}
