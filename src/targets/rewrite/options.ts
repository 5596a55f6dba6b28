import * as z from 'zod'
import { patternFault } from './pattern.ts'

/** One step from the key below the prefix to the name that the tree and outputs know it by. */
export interface RewriteOptions {
  /** Regular expression (RE2): which keys, and what of them. */
  readonly match: string
  /** Of every match; `$1` and `${name}` are groups. undefined = it stays. */
  readonly replace?: string | undefined
  /** Keys that match are left out. */
  readonly drop: boolean
  /** The whole name of a key that matches gets small letters. */
  readonly lower: boolean
}

/** `rewrite` of a files target. */
export const rewriteSchema = z
  .array(
    z
      .strictObject({
        match: z
          .string()
          .min(1, 'must not be empty')
          .max(1024, 'must not be longer than 1024 characters')
          .superRefine((pattern, context) => {
            const message = patternFault(pattern)
            if (message !== undefined) context.addIssue({ code: 'custom', message })
          })
          .describe('Regular expression in the syntax of RE2, on the key below the prefix.'),
        replace: z.string().max(1024, 'is too long').optional().describe('What every match becomes; $1 is a group.'),
        drop: z.boolean().prefault(false).describe('Leave out the keys that match.'),
        lower: z.boolean().prefault(false).describe('Small letters for the names of keys that match.'),
      })
      .refine(
        ({ replace, drop, lower }) => (drop ? replace === undefined && !lower : replace !== undefined || lower),
        'must hold drop alone, or replace, lower or both',
      )
      .describe('One step.'),
  )
  .max(100, 'must not hold more than 100 steps')
  .prefault([])
  .describe('Other names for keys, step by step, in the tree and in every output.')
