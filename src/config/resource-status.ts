import * as z from 'zod'

const count = z.int().nonnegative()

const conditionSchema = z
  .strictObject({
    type: z.string().max(316).describe('Ready, SourceConnected, Degraded or Stalled.'),
    status: z.enum(['True', 'False', 'Unknown']).describe('Whether the condition holds.'),
    observedGeneration: count.optional().describe('Generation of the spec that this was found for.'),
    lastTransitionTime: z.string().meta({ format: 'date-time' }).describe('When the status last changed.'),
    reason: z.string().min(1).max(1024).describe('Why, in one CamelCase word.'),
    message: z.string().max(32_768).describe('Why, for people.'),
  })
  .describe('One condition.')

const commonFields = {
  observedGeneration: count.optional().describe('Generation of the spec that this status is about.'),
  conditions: z
    .array(conditionSchema)
    .optional()
    .meta({ 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'] })
    .describe('Ready, SourceConnected, Degraded and Stalled.'),
}

/** `status` of EtcdMirror. */
export const etcdMirrorStatusSchema = z
  .strictObject({
    ...commonFields,
    target: z.string().optional().describe('Where the copy stands, such as configMap/app.'),
    publishedRevision: count.optional().describe('Revision of etcd that is completely in the target.'),
    keys: count.optional().describe('Keys in the target.'),
    keyErrors: count.optional().describe('Keys that cannot be in the target; Degraded names some of them.'),
    objects: count.optional().describe('Objects that the copy is made of and that stand there.'),
    lastSyncTime: z
      .string()
      .optional()
      .meta({ format: 'date-time' })
      .describe('When the target was last known to equal etcd, at the time this status was written.'),
    lastHandledResync: z
      .string()
      .optional()
      .describe('Value of the annotation etcdmirror.dev/resync that was last acted on.'),
  })
  .describe('What became of it.')

/** `status` of EtcdConnection and ClusterEtcdConnection. */
export const connectionStatusSchema = z
  .strictObject({
    ...commonFields,
    version: z.string().optional().describe('Version of etcd, when it may be asked.'),
    clusterId: z.string().optional().describe('Id of the etcd cluster, hexadecimal.'),
    members: count.optional().describe('Members of the etcd cluster, learners too, when it may be asked.'),
    mirrors: count.optional().describe('Mirrors that use this connection.'),
    compactedRevision: count.optional().describe('Revision that the operator compacted etcd to last.'),
  })
  .describe('What became of it.')

export type Condition = z.output<typeof conditionSchema>
export type EtcdMirrorStatus = z.output<typeof etcdMirrorStatusSchema>
export type ConnectionStatus = z.output<typeof connectionStatusSchema>
