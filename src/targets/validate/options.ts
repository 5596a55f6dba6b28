import * as z from 'zod'

export const VALIDATED_SYNTAXES = ['Json', 'Yaml', 'Toml', 'Env'] as const

export type ValidatedSyntax = (typeof VALIDATED_SYNTAXES)[number]

/** What files have to be, before they are published. */
export interface ValidateOptions {
  /** Globs on paths below the root of the tree. */
  readonly files: readonly string[]
  readonly syntax: ValidatedSyntax
  /** Path of a JSON Schema in JSON or YAML: absolute, or beside mirror.yaml; '' = none. */
  readonly schema: string
  /** What stands in `schema`, parsed; filled in by whoever reads the configuration. undefined = none. */
  readonly schemaContent: unknown
}

/** `validate` of a files target. */
export const validateSchema = z
  .array(
    z
      .strictObject({
        files: z
          .array(z.string().min(1, 'must not be empty').max(1024, 'is too long').describe('A glob on paths.'))
          .min(1, 'must not be empty')
          .max(100, 'must not hold more than 100 globs')
          .describe('Globs on paths below the root of the tree.'),
        syntax: z.enum(VALIDATED_SYNTAXES).describe('What the files must be.'),
        schema: z
          .string()
          .max(1024, 'must not be longer than 1024 characters')
          .prefault('')
          .describe('Path of a JSON Schema: absolute, or relative to the directory of mirror.yaml; "" = none.'),
      })
      .transform((rule): ValidateOptions => ({ ...rule, schemaContent: undefined }))
      .describe('One rule.'),
  )
  .max(100, 'must not hold more than 100 rules')
  .prefault([])
  .describe('What files have to be before they are published.')
