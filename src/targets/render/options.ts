import { z } from 'zod'
import { outputPathFault } from './output-path.ts'

export const DOCUMENT_SYNTAXES = ['Json', 'Yaml', 'Toml', 'Env', 'Properties'] as const
export const VALUE_FORMS = ['Text', 'Json', 'Yaml', 'Base64', 'Number'] as const

export type DocumentSyntax = (typeof DOCUMENT_SYNTAXES)[number]
/** What a value becomes in a document. */
export type ValueForm = (typeof VALUE_FORMS)[number]

/** One file that holds many keys. */
export interface DocumentOptions {
  /** Path below the tree's root. */
  readonly file: string
  readonly syntax: DocumentSyntax
  /** Globs on the key below the prefix: a key must match one to be part of it. */
  readonly keys: readonly string[]
  /** Nested: "/" makes objects. Flat: one member a key. Means nothing for Env and Properties. */
  readonly structure: 'Nested' | 'Flat'
  /** The first that a key matches counts; of others the value is text. */
  readonly values: readonly { readonly keys: readonly string[]; readonly as: ValueForm }[]
}

/** One item of `render`: exactly one member is there. `tree`: one file a key. */
export interface RenderOptions {
  readonly tree?: Readonly<Record<string, never>> | undefined
  readonly document?: DocumentOptions | undefined
}

const globs = z
  .array(
    z
      .string()
      .min(1, 'must not be empty')
      .max(1024, 'must not be longer than 1024 characters')
      .describe('A glob: "*" and "?" within a segment, "**" for any number of segments.'),
  )
  .min(1, 'must not be empty')
  .max(1000, 'must not hold more than 1000 globs')

const file = z
  .string()
  .transform((text, context) => {
    const fault = outputPathFault(text)
    if (fault === undefined) return text
    context.issues.push({ code: 'custom', message: fault, input: text })
    return z.NEVER
  })
  .describe('Path of the file below the root of the tree, such as "conf/app.json".')

/** What a document is made of, wherever it stands. */
export const documentFields = {
  syntax: z.enum(DOCUMENT_SYNTAXES).describe('Syntax of the file.'),
  keys: globs.prefault(['**']).describe('Globs on the key below the prefix; a key must match one.'),
  structure: z
    .enum(['Nested', 'Flat'])
    .prefault('Nested')
    .describe('Nested: "/" makes objects. Flat: one member a key. Means nothing for Env and Properties.'),
  values: z
    .array(
      z
        .strictObject({
          keys: globs.describe('Globs on the key below the prefix.'),
          as: z.enum(VALUE_FORMS).describe('What the value becomes.'),
        })
        .describe('One rule.'),
    )
    .max(1000, 'must not hold more than 1000 rules')
    .prefault([])
    .describe('What values become: the first rule that a key matches counts, without one it is Text.'),
}

const documentSchema = z.strictObject({ file, ...documentFields }).describe('One file that holds many keys.')

const KINDS = ['tree', 'document'] as const

const renderSchema = z
  .strictObject({
    tree: z.strictObject({}).optional().describe('One file a key.'),
    document: documentSchema.optional(),
  })
  .refine((render) => Object.keys(render).length === 1, `must hold exactly one of: ${KINDS.join(', ')}`)
  .meta({ minProperties: 1, maxProperties: 1, description: 'Exactly one kind of rendering.' })

/** `render` of a target: what is published, all of it together. */
export const renderListSchema = z
  .array(renderSchema)
  .min(1, 'must not be empty: leave it out for the tree alone')
  .max(100, 'must not hold more than 100 items')
  .superRefine((list: readonly RenderOptions[], context) => {
    for (const { index, message } of listFaults(list)) {
      context.addIssue({ code: 'custom', message, path: [index] })
    }
  })
  .prefault([{ tree: {} }])
  .describe('What is published, all of it together; by default the tree alone.')

function listFaults(list: readonly RenderOptions[]): { readonly index: number; readonly message: string }[] {
  const files: string[] = []
  let trees = 0
  return list.flatMap(({ tree, document }, index) => {
    if (tree !== undefined) {
      trees += 1
      return trees > 1 ? [{ index, message: 'the tree stands in the list twice' }] : []
    }
    const path = document?.file ?? ''
    const other = files.find((known) => known === path || known.startsWith(`${path}/`) || path.startsWith(`${known}/`))
    files.push(path)
    if (other === undefined) return []
    const fault = other === path ? 'is already written by another item' : `cannot stand beside the file "${other}"`
    return [{ index, message: `"${path}" ${fault}` }]
  })
}
