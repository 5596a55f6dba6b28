import { z } from 'zod'
import { mirrorFields, prefixFault } from '../mirror/options.ts'
import { httpSchema } from '../server/options.ts'
import { filesTargetSchema } from '../targets/files/options.ts'

const targetSchema = z
  .strictObject({ files: filesTargetSchema.optional() })
  .transform(({ files }, context) => {
    if (files !== undefined) return { files }
    context.issues.push({ code: 'custom', message: 'must hold exactly one of: files', input: files })
    return z.NEVER
  })
  .meta({ minProperties: 1, maxProperties: 1, description: 'Where the copy goes: exactly one.' })

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
