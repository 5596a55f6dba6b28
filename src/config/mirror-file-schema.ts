import * as z from 'zod'
import { mirrorFields, prefixFault } from '../mirror/options.ts'
import { httpSchema } from '../server/options.ts'
import { targetSchema } from './target-schema.ts'

const mirrorSchema = z
  .strictObject({ ...mirrorFields, target: targetSchema })
  .superRefine(({ prefix, rawPrefix }, context) => {
    const message = prefixFault(prefix, rawPrefix)
    if (message !== undefined) context.addIssue({ code: 'custom', message, path: ['prefix'] })
  })
  .describe('One copy of one prefix.')

/** One file of mirror.yaml's kind: the rooms' schemas put together. */
export const mirrorFileSchema = z
  .strictObject({
    http: httpSchema.optional(),
    mirrors: z.array(mirrorSchema).optional().describe('The mirrors of this process, at least one over all files.'),
  })
  .meta({ title: 'mirror.yaml of etcd-mirror' })

export type ParsedMirror = z.output<typeof mirrorSchema>
