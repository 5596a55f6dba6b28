import { CONFIG_MAPS, type KubeResource, LEASES, SECRETS } from '../kube/kube-resource.ts'
import { ETCD_KEYS } from '../targets/objects/etcd-key-projection.ts'
import { MANY_OBJECTS_VERBS, namedRules, type RbacRule } from '../targets/objects/rbac-rules.ts'
import {
  CLUSTER_ETCD_CONNECTIONS,
  ETCD_CONNECTIONS,
  ETCD_MIRRORS,
  EVENTS,
  LEADER_LEASE,
  NAMESPACES,
} from './operator-resources.ts'

/** What the operator has to be allowed for one of the things that it does. */
export interface OperatorRight {
  readonly name: OperatorRightName
  /** What it is for, and what happens without it; a sentence for people. */
  readonly purpose: string
  /**
   * Served: in every namespace that the operator serves, or in the whole cluster. Cluster: resources of the cluster, which
   * no Role can grant. Own: in the namespace of the operator. Default: in the namespace `default`.
   */
  readonly scope: 'Served' | 'Cluster' | 'Own' | 'Default'
  readonly rules: readonly RbacRule[]
}

export type OperatorRightName =
  | 'mirrors'
  | 'configMaps'
  | 'connectionSecrets'
  | 'secretTargets'
  | 'etcdKeys'
  | 'objectConfigMaps'
  | 'clusterConnections'
  | 'leadership'
  | 'clusterConnectionSecrets'
  | 'clusterConnectionEvents'

const DATA_OBJECT_VERBS = ['get', 'list', 'watch', 'create', 'patch']

/**
 * Everything that the operator may need to do with the API, in parts that can be left out. The one source of the roles in
 * docs and of other packagings; the tests run under exactly these.
 */
export const OPERATOR_RIGHTS: readonly OperatorRight[] = [
  {
    name: 'mirrors',
    purpose: 'Mirrors and connections, and what became of them. Nothing works without it.',
    scope: 'Served',
    rules: [
      rule([ETCD_MIRRORS, ETCD_CONNECTIONS], ['list', 'watch']),
      statusRule([ETCD_MIRRORS, ETCD_CONNECTIONS]),
      rule([EVENTS], ['create']),
    ],
  },
  {
    name: 'configMaps',
    purpose: 'The targets configMap and files, the positions of etcdKeys and objects, and templates in ConfigMaps.',
    scope: 'Served',
    rules: [rule([CONFIG_MAPS], DATA_OBJECT_VERBS)],
  },
  {
    name: 'connectionSecrets',
    purpose: 'Secrets that connections name; each is watched by its name, so resourceNames may limit it to them.',
    scope: 'Served',
    rules: [rule([SECRETS], ['list', 'watch'])],
  },
  {
    name: 'secretTargets',
    purpose: 'The target secret.',
    scope: 'Served',
    rules: [rule([SECRETS], DATA_OBJECT_VERBS)],
  },
  {
    name: 'etcdKeys',
    purpose: 'The target etcdKeys.',
    scope: 'Served',
    rules: [rule([ETCD_KEYS], MANY_OBJECTS_VERBS)],
  },
  {
    name: 'objectConfigMaps',
    purpose: 'The target objects with --allow-kinds v1/ConfigMap, beside the rule for ConfigMaps above.',
    scope: 'Served',
    rules: [rule([CONFIG_MAPS], ['delete'])],
  },
  {
    name: 'clusterConnections',
    purpose: 'ClusterEtcdConnections, and the labels of namespaces, by which these allow mirrors.',
    scope: 'Cluster',
    rules: [
      rule([CLUSTER_ETCD_CONNECTIONS], ['list', 'watch']),
      statusRule([CLUSTER_ETCD_CONNECTIONS]),
      rule([NAMESPACES], ['list', 'watch']),
    ],
  },
  {
    name: 'leadership',
    purpose: 'The leadership.',
    scope: 'Own',
    rules: namedRules(LEASES, LEADER_LEASE, ['get', 'update']),
  },
  {
    name: 'clusterConnectionSecrets',
    purpose: 'Secrets that ClusterEtcdConnections name.',
    scope: 'Own',
    rules: [rule([SECRETS], ['list', 'watch'])],
  },
  {
    name: 'clusterConnectionEvents',
    purpose: 'Events of ClusterEtcdConnections: the API takes those of the cluster in this namespace alone.',
    scope: 'Default',
    rules: [rule([EVENTS], ['create'])],
  },
]

/** What the target `objects` needs for one more kind of `--allow-kinds`, in every namespace that the operator serves. */
export function objectKindRule(resource: KubeResource): RbacRule {
  return rule([resource], MANY_OBJECTS_VERBS)
}

/** Resources of one group. */
function rule(resources: readonly KubeResource[], verbs: readonly string[]): RbacRule {
  return { apiGroups: [resources[0]?.group ?? ''], resources: resources.map(({ plural }) => plural), verbs }
}

function statusRule(resources: readonly KubeResource[]): RbacRule {
  const { apiGroups } = rule(resources, [])
  return { apiGroups, resources: resources.map(({ plural }) => `${plural}/status`), verbs: ['update'] }
}
