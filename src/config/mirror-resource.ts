import * as z from 'zod'
import { mirrorFields } from '../mirror/options.ts'
import { filesTargetSchema } from '../targets/files/options.ts'
import {
  configMapTargetSchema,
  etcdKeysTargetSchema,
  objectNameField,
  objectsTargetSchema,
  secretTargetSchema,
} from '../targets/objects/options.ts'
import { renderListSchemaWithoutSources } from '../targets/render/options.ts'

const { name: _name, ...specFields } = mirrorFields
const { layout, readerGrace, mode, modes, directoryMode } = filesTargetSchema.in.shape

/** What a sidecar's files look like; where they stand, what is run and what is read there is the pod's to say. */
const filesSchema = z
  .strictObject({ layout, readerGrace, mode, modes, directoryMode, render: renderListSchemaWithoutSources })
  .describe('Files for sidecars: the mirror is rendered into a ConfigMap that they read.')

const templateFromSchema = z
  .strictObject({
    configMapKeyRef: z
      .strictObject({
        name: objectNameField('Name of the ConfigMap, in the namespace of the EtcdMirror.'),
        key: z.string().min(1).max(253).describe('Data key that holds the template.'),
      })
      .describe('A data key of a ConfigMap.'),
  })
  .describe('Where the template is, instead of template; a change of it counts at once.')

const { template, ...objectsFields } = objectsTargetSchema.shape

/** As in mirror.yaml; what that has in a file of its own is in a ConfigMap here. */
const objectsSchema = z
  .strictObject({ template: template.optional(), templateFrom: templateFromSchema.optional(), ...objectsFields })
  .refine(
    (objects) => (objects.template === undefined) !== (objects.templateFrom === undefined),
    'must hold exactly one of: template, templateFrom',
  )
  .describe(
    'Objects of any kind that the operator may write, made by a template: exactly one of template, templateFrom.',
  )

/** `spec.target` of EtcdMirror: targets as in mirror.yaml, without what would run in or read from the operator. */
const targetSchema = z
  .strictObject({
    configMap: configMapTargetSchema.optional(),
    secret: secretTargetSchema.optional(),
    etcdKeys: etcdKeysTargetSchema.optional(),
    objects: objectsSchema.optional(),
    files: filesSchema.optional(),
  })
  .describe('Where the copy goes, in the namespace of the EtcdMirror: exactly one.')

/** Members of `spec.target`, of which a mirror has exactly one. */
export const MIRROR_TARGETS: readonly string[] = Object.keys(targetSchema.shape)

const connectionRefSchema = z
  .strictObject({
    kind: z
      .enum(['EtcdConnection', 'ClusterEtcdConnection'])
      .prefault('EtcdConnection')
      .describe('EtcdConnection: one of this namespace. ClusterEtcdConnection: one of the cluster that allows this.'),
    name: z.string().min(1).max(253).describe('Name of the connection.'),
  })
  .describe('The etcd to mirror from.')

/** `spec` of EtcdMirror. */
export const etcdMirrorSpecSchema = z
  .strictObject({ connectionRef: connectionRefSchema, ...specFields, target: targetSchema })
  .describe('What to mirror, and where to.')

/** Where a template is. */
export type TemplateFrom = z.output<typeof templateFromSchema>

export type EtcdMirrorSpec = z.output<typeof etcdMirrorSpecSchema>
