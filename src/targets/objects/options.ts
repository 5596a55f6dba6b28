import * as z from 'zod'
import { documentFields, type RenderOptions } from '../render/options.ts'
import { dataKeyFault } from './data-key.ts'
import { annotationsFault, isDnsSubdomain, labelsFault, type MetadataFault } from './metadata-faults.ts'

/** What becomes of the objects when the mirror is taken away. Delete: they go with it. Retain: they stay as they are. */
export type DeletionPolicy = 'Delete' | 'Retain'

/** What `configMap` and `secret` have in common. */
export interface DataObjectOptions {
  /** Of the object, in the mirror's own namespace: a DNS subdomain. */
  readonly name: string
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  /** Owner: the object is the mirror's alone. Merge: it may have data keys of others, which are left alone. */
  readonly creationPolicy: 'Owner' | 'Merge'
  readonly deletionPolicy: DeletionPolicy
  /** What is rendered, at least one; the files of documents are data keys, each another one. */
  readonly render: readonly RenderOptions[]
}

/** The whole prefix in one ConfigMap. */
export type ConfigMapTargetOptions = DataObjectOptions

/** The whole prefix in one Secret. */
export interface SecretTargetOptions extends DataObjectOptions {
  readonly type: string
}

/** One EtcdKey resource a key. */
export interface EtcdKeysTargetOptions {
  readonly deletionPolicy: DeletionPolicy
}

/** Any allow-listed kind, by a template. */
export interface ObjectsTargetOptions {
  /** Liquid; renders one or more manifests as YAML. */
  readonly template: string
  /** What the template is rendered for: each key, or all keys with the same first segment below the prefix. */
  readonly per: 'Key' | 'Group'
  /** How the template sees values: as they are, or parsed. */
  readonly values: 'Text' | 'Json' | 'Yaml'
  readonly deletionPolicy: DeletionPolicy
}

/** Characters of a template. */
export const MAX_TEMPLATE_LENGTH = 65_536
/** Kubernetes acts on Secrets of these types: it would hand out credentials of the cluster. */
export const REFUSED_SECRET_TYPES: readonly string[] = [
  'kubernetes.io/service-account-token',
  'bootstrap.kubernetes.io/token',
]

const deletionPolicy = z
  .enum(['Delete', 'Retain'])
  .prefault('Delete')
  .describe('What becomes of what was written when the mirror is deleted. Delete: it goes too. Retain: it stays.')

const documentSchema = z
  .strictObject({
    file: z
      .string()
      .transform((name, context) => {
        const fault = dataKeyFault(name)
        if (fault === undefined) return name
        context.issues.push({ code: 'custom', message: fault, input: name })
        return z.NEVER
      })
      .describe('The data key, which is the file name where the object is mounted.'),
    ...documentFields,
  })
  .describe('One data key that holds many keys.')

const renderItemSchema = z
  .strictObject({
    tree: z.strictObject({}).optional().describe('One data key a key; "/" becomes ".".'),
    document: documentSchema.optional(),
  })
  .refine((render) => Object.keys(render).length === 1, 'must hold exactly one of: tree, document')
  .meta({ minProperties: 1, maxProperties: 1, description: 'Exactly one kind of rendering.' })

/** The name of a ConfigMap or Secret. */
export function objectNameField(description: string) {
  return z
    .string()
    .min(1, 'must not be empty')
    .max(253, 'must not be longer than 253 characters')
    .refine(isDnsSubdomain, 'must be a DNS subdomain: lower-case letters, digits, inner "-" and "."')
    .describe(description)
}

const dataObjectFields = {
  name: objectNameField('Name of the object, in the namespace of the mirror.'),
  labels: metadataField(labelsFault).describe('Labels to set on the object beside those of the mirror.'),
  annotations: metadataField(annotationsFault).describe(
    'Annotations to set on the object beside those of the mirror, such as those that make a controller restart pods.',
  ),
  creationPolicy: z
    .enum(['Owner', 'Merge'])
    .prefault('Owner')
    .describe(
      'Owner: the object belongs to the mirror; one that others made is refused. Merge: it may have data of others too, and stays when the mirror is deleted.',
    ),
  deletionPolicy,
  render: z
    .array(renderItemSchema)
    .min(1, 'must not be empty: leave it out for the tree alone')
    .max(16, 'must not hold more than 16 renderings')
    .refine(hasDistinctParts, 'must hold the tree once, and no two documents of one file')
    .prefault([{ tree: {} }])
    .describe('What the data holds; by default the tree alone.'),
}

/** `target.configMap` of mirror.yaml and of EtcdMirror. */
export const configMapTargetSchema = z
  .strictObject(dataObjectFields)
  .describe('One ConfigMap that holds the whole prefix at one revision, up to 900 KiB.')

/** `target.secret` of mirror.yaml and of EtcdMirror. */
export const secretTargetSchema = z
  .strictObject({
    ...dataObjectFields,
    type: z
      .string()
      .min(1, 'must not be empty')
      .max(253, 'must not be longer than 253 characters')
      .refine((type) => !REFUSED_SECRET_TYPES.includes(type), 'must not be a type that gives access to the cluster')
      .prefault('Opaque')
      .describe('Type of the Secret. It cannot change once the Secret is there.'),
  })
  .describe('One Secret that holds the whole prefix at one revision, up to 900 KiB.')

/** `target.etcdKeys` of mirror.yaml and of EtcdMirror. */
export const etcdKeysTargetSchema = z
  .strictObject({ deletionPolicy })
  .describe(
    'One EtcdKey resource for each key. Each is written for itself; the status names the last complete revision.',
  )

/** `target.objects` of mirror.yaml and of EtcdMirror. */
export const objectsTargetSchema = z
  .strictObject({
    template: z
      .string()
      .min(1, 'must not be empty')
      .max(MAX_TEMPLATE_LENGTH, `must not be longer than ${MAX_TEMPLATE_LENGTH} characters`)
      .describe('Liquid template that gives the manifests of the objects, in YAML.'),
    per: z
      .enum(['Key', 'Group'])
      .prefault('Key')
      .describe('Key: render it for each key. Group: for all keys with the same first segment below the prefix.'),
    values: z
      .enum(['Text', 'Json', 'Yaml'])
      .prefault('Text')
      .describe('How the template sees values: as text, or parsed as JSON or YAML.'),
    deletionPolicy,
  })
  .describe('Objects of any kind that the process may write, made by a template.')

function metadataField(faultOf: (entries: Readonly<Record<string, string>>) => MetadataFault | undefined) {
  return z
    .record(z.string(), z.string())
    .optional()
    .transform((entries, context) => {
      const fault = faultOf(entries ?? {})
      if (fault === undefined) return entries ?? {}
      const { key, message } = fault
      context.issues.push({ code: 'custom', message, input: entries, path: [key] })
      return z.NEVER
    })
}

function hasDistinctParts(items: readonly RenderOptions[]): boolean {
  const names = items.map(({ document }) => (document === undefined ? 'tree' : `document ${document.file}`))
  return new Set(names).size === names.length
}
