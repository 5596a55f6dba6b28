import * as z from 'zod'
import { filesTargetSchema } from '../targets/files/options.ts'
import {
  configMapTargetSchema,
  etcdKeysTargetSchema,
  objectsTargetSchema,
  secretTargetSchema,
} from '../targets/objects/options.ts'
import { TARGET_KINDS, type TargetOptions } from './target-options.ts'

/** `target` of mirror.yaml. */
export const targetSchema = z
  .strictObject({
    files: filesTargetSchema.optional(),
    configMap: configMapTargetSchema.optional(),
    secret: secretTargetSchema.optional(),
    etcdKeys: etcdKeysTargetSchema.optional(),
    objects: objectsTargetSchema.optional(),
  })
  .transform(({ files, configMap, secret, etcdKeys, objects }, context): TargetOptions => {
    const written: (TargetOptions | undefined)[] = [
      files && { files },
      configMap && { configMap },
      secret && { secret },
      etcdKeys && { etcdKeys },
      objects && { objects },
    ]
    const [target, ...others] = written.filter((member) => member !== undefined)
    if (target !== undefined && others.length === 0) return target
    const message = `must hold exactly one of: ${TARGET_KINDS.join(', ')}`
    context.issues.push({ code: 'custom', message, input: files })
    return z.NEVER
  })
  .meta({ minProperties: 1, maxProperties: 1, description: 'Where the copy goes: exactly one.' })
