import * as z from 'zod'
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

/** One file that a template makes. */
export interface TemplateOptions {
  /** Path below the tree's root. */
  readonly file: string
  /** Path of the template: absolute, or beside mirror.yaml. */
  readonly source: string
  /** Globs on the key below the prefix: the template sees those alone, and is rendered when one of them changes. */
  readonly keys: readonly string[]
  /** Names of the environment's variables that it may read. */
  readonly env: readonly string[]
  /** What stands in `source`; filled in by whoever reads the configuration. */
  readonly text: string
}

/** One item of `render`: exactly one member is there. `tree`: one file a key. */
export interface RenderOptions {
  readonly tree?: Readonly<Record<string, never>> | undefined
  readonly document?: DocumentOptions | undefined
  readonly template?: TemplateOptions | undefined
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

const templateSchema = z
  .strictObject({
    file,
    source: z
      .string()
      .min(1, 'must not be empty')
      .max(1024, 'must not be longer than 1024 characters')
      .describe('Path of the Liquid template: absolute, or relative to the directory of mirror.yaml.'),
    keys: globs.prefault(['**']).describe('Globs on the key below the prefix: what the template sees.'),
    env: z
      .array(z.string().min(1, 'must not be empty').describe('Name of a variable.'))
      .max(100, 'must not hold more than 100 names')
      .prefault([])
      .describe('Environment variables that the filter env may read.'),
  })
  .transform((template): TemplateOptions => ({ ...template, text: '' }))
  .describe('One file that a Liquid template makes.')

const kinds = {
  tree: z.strictObject({}).optional().describe('One file a key.'),
  document: documentSchema.optional(),
}

/** `render` of a files target: what is published, all of it together. */
export const renderListSchema = listOf({ ...kinds, template: templateSchema.optional() })

/** The same where nothing can be read from files. */
export const renderListSchemaWithoutSources = listOf(kinds)

function listOf<Shape extends z.core.$ZodShape>(shape: Shape) {
  const item = z
    .strictObject(shape)
    .refine((render) => Object.keys(render).length === 1, `must hold exactly one of: ${Object.keys(shape).join(', ')}`)
    .meta({ minProperties: 1, maxProperties: 1, description: 'Exactly one kind of rendering.' })
  return z
    .array(item)
    .min(1, 'must not be empty: leave it out for the tree alone')
    .max(100, 'must not hold more than 100 items')
    .superRefine((list, context) => {
      for (const { index, message } of listFaults(list as readonly RenderOptions[])) {
        context.addIssue({ code: 'custom', message, path: [index] })
      }
    })
    .prefault([{ tree: {} }] as never)
    .describe('What is published, all of it together; by default the tree alone.')
}

function listFaults(list: readonly RenderOptions[]): { readonly index: number; readonly message: string }[] {
  const files: string[] = []
  let trees = 0
  return list.flatMap(({ tree, document, template }, index) => {
    if (tree !== undefined) {
      trees += 1
      return trees > 1 ? [{ index, message: 'the tree stands in the list twice' }] : []
    }
    const path = document?.file ?? template?.file ?? ''
    const other = files.find((known) => known === path || known.startsWith(`${path}/`) || path.startsWith(`${known}/`))
    files.push(path)
    if (other === undefined) return []
    const fault = other === path ? 'is already written by another item' : `cannot stand beside the file "${other}"`
    return [{ index, message: `"${path}" ${fault}` }]
  })
}
