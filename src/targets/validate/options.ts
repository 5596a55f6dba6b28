import * as z from 'zod'
import { durationField } from '../../mirror/options.ts'
import { commandSchema } from '../hooks/options.ts'

export const VALIDATED_SYNTAXES = ['Json', 'Yaml', 'Toml', 'Env'] as const

export type ValidatedSyntax = (typeof VALIDATED_SYNTAXES)[number]

/** What files have to be, before they are published: exactly one of `syntax` and `command` is there. */
export interface ValidateOptions {
  /** Globs on paths below the root of the tree. */
  readonly files: readonly string[]
  readonly syntax?: ValidatedSyntax | undefined
  /** Path of a JSON Schema in JSON or YAML: absolute, or beside mirror.yaml; '' = none. */
  readonly schema: string
  /** What stands in `schema`, parsed; filled in by whoever reads the configuration. undefined = none. */
  readonly schemaContent: unknown
  /** A program and its arguments, run in the staged tree when one of the files changes: code 0 = they are good. */
  readonly command?: readonly string[] | undefined
  /** How long the command may take. */
  readonly timeoutMs: number
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
        syntax: z.enum(VALIDATED_SYNTAXES).optional().describe('What the files must be.'),
        schema: z
          .string()
          .max(1024, 'must not be longer than 1024 characters')
          .prefault('')
          .describe('Path of a JSON Schema: absolute, or relative to the directory of mirror.yaml; "" = none.'),
        command: commandSchema
          .describe('Program and arguments, without a shell: run in the staged tree, code 0 = the files are good.')
          .optional(),
        timeout: durationField('30s', 100).describe('How long the command may take.'),
      })
      .superRefine(({ syntax, command, schema, timeout }, context) => {
        const refuse = (message: string) => context.addIssue({ code: 'custom', message })
        if ((syntax === undefined) === (command === undefined)) refuse('must hold exactly one of: syntax, command')
        else if (command !== undefined && schema !== '') refuse('a schema needs syntax, not a command')
        if (timeout === 0) refuse('timeout must not be 0')
      })
      .transform(({ timeout, ...rule }): ValidateOptions => ({ ...rule, schemaContent: undefined, timeoutMs: timeout }))
      .describe('One rule.'),
  )
  .max(100, 'must not hold more than 100 rules')
  .prefault([])
  .describe('What files have to be before they are published.')
