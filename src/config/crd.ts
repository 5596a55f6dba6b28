import type { z } from 'zod'
import { type JsonSchema, jsonSchemaOf } from '../config-files/json-schema.ts'
import { clusterEtcdConnectionSpecSchema, etcdConnectionSpecSchema } from './connection-resource.ts'
import { type CelRules, CLUSTER_CONNECTION_RULES, CONNECTION_RULES, KEY_RULES, MIRROR_RULES } from './crd-rules.ts'
import { etcdKeySpecSchema } from './key-resource.ts'
import { etcdMirrorSpecSchema } from './mirror-resource.ts'
import { connectionStatusSchema, etcdMirrorStatusSchema } from './resource-status.ts'
import { structuralSchema } from './structural-schema.ts'

export const CRD_GROUP = 'etcdmirror.dev'
export const CRD_VERSION = 'v1alpha1'

/** A column of `kubectl get`; priority 1 = only with `-o wide`. */
export interface PrinterColumn {
  readonly name: string
  readonly type: 'string' | 'integer' | 'date'
  readonly description: string
  readonly jsonPath: string
  readonly priority?: number
}

/** One kind of resource, as people and API servers need to know it. */
export interface ResourceKind {
  readonly kind: string
  readonly plural: string
  readonly shortNames: readonly string[]
  readonly scope: 'Namespaced' | 'Cluster'
  readonly description: string
  readonly spec: z.ZodType
  readonly status: z.ZodType | undefined
  readonly rules: CelRules
  readonly columns: readonly PrinterColumn[]
  /** Fields that a field selector may name. */
  readonly selectable: readonly string[]
}

const AGE: PrinterColumn = {
  name: 'Age',
  type: 'date',
  description: 'Since when the resource is there.',
  jsonPath: '.metadata.creationTimestamp',
}
const READY = conditionColumns('Ready')

const CONNECTION_COLUMNS: readonly PrinterColumn[] = [
  ...READY,
  { name: 'Version', type: 'string', description: 'Version of etcd.', jsonPath: '.status.version' },
  { name: 'Mirrors', type: 'integer', description: 'Mirrors that use it.', jsonPath: '.status.mirrors' },
  AGE,
  {
    name: 'Endpoints',
    type: 'string',
    description: 'Members of the etcd cluster, or what stands before them.',
    jsonPath: '.spec.endpoints',
    priority: 1,
  },
  {
    name: 'Cluster',
    type: 'string',
    description: 'Id of the etcd cluster.',
    jsonPath: '.status.clusterId',
    priority: 1,
  },
  {
    name: 'Members',
    type: 'integer',
    description: 'Members of the etcd cluster.',
    jsonPath: '.status.members',
    priority: 1,
  },
]

/** Every kind of resource of the group. */
export const RESOURCE_KINDS: readonly ResourceKind[] = [
  {
    kind: 'EtcdMirror',
    plural: 'etcdmirrors',
    shortNames: ['em'],
    scope: 'Namespaced',
    description: 'A copy of the keys of one etcd prefix in Kubernetes objects, kept up to date.',
    spec: etcdMirrorSpecSchema,
    status: etcdMirrorStatusSchema,
    rules: MIRROR_RULES,
    columns: [
      ...READY,
      { name: 'Target', type: 'string', description: 'Where the copy stands.', jsonPath: '.status.target' },
      {
        name: 'Revision',
        type: 'integer',
        description: 'Revision of etcd that is completely in the target.',
        jsonPath: '.status.publishedRevision',
      },
      { name: 'Keys', type: 'integer', description: 'Keys in the target.', jsonPath: '.status.keys' },
      conditionColumns('Degraded')[0] as PrinterColumn,
      AGE,
      {
        name: 'Objects',
        type: 'integer',
        description: 'Objects that the copy is made of.',
        jsonPath: '.status.objects',
        priority: 1,
      },
      { name: 'Prefix', type: 'string', description: 'Keys that are mirrored.', jsonPath: '.spec.prefix', priority: 1 },
      {
        name: 'Connection',
        type: 'string',
        description: 'The etcd that is mirrored from.',
        jsonPath: '.spec.connectionRef.name',
        priority: 1,
      },
      { ...conditionColumns('Stalled')[0], priority: 1 } as PrinterColumn,
    ],
    selectable: ['.spec.prefix', '.spec.connectionRef.name'],
  },
  {
    kind: 'EtcdConnection',
    plural: 'etcdconnections',
    shortNames: ['ec'],
    scope: 'Namespaced',
    description: 'How to reach an etcd, for mirrors of the same namespace.',
    spec: etcdConnectionSpecSchema,
    status: connectionStatusSchema,
    rules: CONNECTION_RULES,
    columns: CONNECTION_COLUMNS,
    selectable: [],
  },
  {
    kind: 'ClusterEtcdConnection',
    plural: 'clusteretcdconnections',
    shortNames: ['cec'],
    scope: 'Cluster',
    description: 'How to reach an etcd, for mirrors of the namespaces that it allows.',
    spec: clusterEtcdConnectionSpecSchema,
    status: connectionStatusSchema,
    rules: CLUSTER_CONNECTION_RULES,
    columns: CONNECTION_COLUMNS,
    selectable: [],
  },
  {
    kind: 'EtcdKey',
    plural: 'etcdkeys',
    shortNames: ['ek'],
    scope: 'Namespaced',
    description: 'One key of etcd, written by a mirror with the target etcdKeys.',
    spec: etcdKeySpecSchema,
    status: undefined,
    rules: KEY_RULES,
    columns: [
      { name: 'Key', type: 'string', description: 'The key in etcd.', jsonPath: '.spec.key' },
      {
        name: 'Revision',
        type: 'integer',
        description: 'Revision of etcd at which it was last written.',
        jsonPath: '.spec.modRevision',
      },
      { name: 'Version', type: 'integer', description: 'How often it was written.', jsonPath: '.spec.version' },
      {
        name: 'Mirror',
        type: 'string',
        description: 'The mirror that wrote it.',
        jsonPath: '.metadata.labels.etcdmirror\\.dev/mirror',
      },
      AGE,
    ],
    selectable: ['.spec.key'],
  },
]

/** A manifest of apiextensions.k8s.io/v1 for each kind, ready to be written as YAML. */
export function customResourceDefinitions(): readonly Readonly<Record<string, unknown>>[] {
  return RESOURCE_KINDS.map(definitionOf)
}

/** The schema of a whole resource, with the defaults and closed objects that an API server does not get to see. */
export function resourceSchema({ description, spec, status }: ResourceKind): JsonSchema {
  const { $schema: _spec, ...specSchema } = jsonSchemaOf(spec)
  const statusSchema = status && jsonSchemaOf(status)
  return {
    type: 'object',
    description,
    required: ['spec'],
    properties: {
      apiVersion: { type: 'string', description: `${CRD_GROUP}/${CRD_VERSION}` },
      kind: { type: 'string', description: 'Kind of the resource.' },
      metadata: { type: 'object' },
      spec: specSchema,
      ...(statusSchema && { status: statusSchema }),
    },
  }
}

function definitionOf(resource: ResourceKind): Readonly<Record<string, unknown>> {
  const { kind, plural, shortNames, scope, status, columns, selectable, rules } = resource
  const version = {
    name: CRD_VERSION,
    served: true,
    storage: true,
    ...(status && { subresources: { status: {} } }),
    additionalPrinterColumns: columns,
    ...(selectable.length > 0 && { selectableFields: selectable.map((jsonPath) => ({ jsonPath })) }),
    schema: { openAPIV3Schema: withRules(structuralSchema(resourceSchema(resource)), rules) },
  }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `${plural}.${CRD_GROUP}` },
    spec: {
      group: CRD_GROUP,
      scope,
      names: {
        kind,
        listKind: `${kind}List`,
        plural,
        singular: kind.toLowerCase(),
        shortNames,
        categories: ['etcd-mirror'],
      },
      versions: [version],
    },
  }
}

/** Throws when a rule is for a field that is not there. */
function withRules(schema: JsonSchema, rules: CelRules): JsonSchema {
  const unused = new Set(Object.keys(rules))
  const visit = (node: JsonSchema, path: string): JsonSchema => {
    const own = rules[path]
    unused.delete(path)
    const { properties, items } = node
    return {
      ...node,
      ...(properties && {
        properties: Object.fromEntries(
          Object.entries(properties).map(([name, member]) => [
            name,
            visit(member, path === '' ? name : `${path}.${name}`),
          ]),
        ),
      }),
      ...(items && { items: visit(items, `${path}[]`) }),
      ...(own && { 'x-kubernetes-validations': own }),
    }
  }
  const result = visit(schema, '')
  if (unused.size > 0) throw new Error(`Cannot place rules of a custom resource: no field ${[...unused].join(', ')}`)
  return result
}

function conditionColumns(type: string): readonly PrinterColumn[] {
  const path = `.status.conditions[?(@.type=="${type}")]`
  return [
    { name: type, type: 'string', description: `Whether the condition ${type} holds.`, jsonPath: `${path}.status` },
    { name: 'Reason', type: 'string', description: `Why ${type} is so.`, jsonPath: `${path}.reason` },
  ]
}
