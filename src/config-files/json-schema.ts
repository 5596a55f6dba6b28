import * as z from 'zod'

/** The part of a JSON schema that is walked here. */
export interface JsonSchema {
  readonly properties?: Readonly<Record<string, JsonSchema>>
  readonly items?: JsonSchema
  readonly [keyword: string]: unknown
}

/** JSON schema (draft 2020-12) of what may be written, defaults not yet filled in. */
export function jsonSchemaOf(schema: z.ZodType): JsonSchema {
  return z.toJSONSchema(schema, { target: 'draft-2020-12', io: 'input' }) as JsonSchema
}

/** The schema of one member or item; empty when there is none. */
export function childSchema(schema: JsonSchema, segment: string | number): JsonSchema {
  return (typeof segment === 'number' ? schema.items : schema.properties?.[segment]) ?? {}
}
