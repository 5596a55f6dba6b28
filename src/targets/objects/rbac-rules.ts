import { CONFIG_MAPS, type KubeResource, LEASES } from '../../kube/kube-resource.ts'
import { indexName } from './index-object.ts'
import { leaseName } from './target-session.ts'

/** One rule of an RBAC Role. */
export interface RbacRule {
  readonly apiGroups: readonly string[]
  readonly resources: readonly string[]
  readonly resourceNames?: readonly string[]
  readonly verbs: readonly string[]
}

/** What is done with each of many objects. */
export const MANY_OBJECTS_VERBS: readonly string[] = ['get', 'list', 'watch', 'create', 'patch', 'delete']

/** The least rights that a mirror needs which writes one object: they hold for that name alone, but for making it. */
export function dataObjectRules(mirror: string, resource: KubeResource, name: string): readonly RbacRule[] {
  return [...leaseRules(mirror), ...namedRules(resource, name, ['get', 'list', 'watch', 'patch'])]
}

function leaseRules(mirror: string): readonly RbacRule[] {
  return namedRules(LEASES, leaseName(mirror), ['get', 'update'])
}

/** Rules to make one object and to do this with it alone: RBAC cannot limit the making to a name. */
export function namedRules(
  { group, plural }: KubeResource,
  name: string,
  verbs: readonly string[],
): readonly RbacRule[] {
  const of = { apiGroups: [group], resources: [plural] }
  return [
    { ...of, resourceNames: [name], verbs },
    { ...of, verbs: ['create'] },
  ]
}

/** The least rights that a mirror needs which writes many objects of these kinds; RBAC cannot limit them to its own. */
export function manyObjectsRules(mirror: string, resources: readonly KubeResource[]): readonly RbacRule[] {
  const objects = resources.map(({ group, plural }) => ({
    apiGroups: [group],
    resources: [plural],
    verbs: MANY_OBJECTS_VERBS,
  }))
  return [...leaseRules(mirror), ...namedRules(CONFIG_MAPS, indexName(mirror), ['get', 'patch']), ...objects]
}
