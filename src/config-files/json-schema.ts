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

/** Where members of a name may be written, as in `mirrors[].target.files`, by the object that they belong to. */
export function placesOf(name: string, schema: JsonSchema, path = ''): readonly string[] {
  const inItems = schema.items === undefined ? [] : placesOf(name, schema.items, `${path}[]`)
  const members = Object.entries(schema.properties ?? {})
  const inMembers = members.flatMap(([key, member]) => placesOf(name, member, path === '' ? key : `${path}.${key}`))
  return [...(members.some(([key]) => key === name) ? [path] : []), ...inItems, ...inMembers]
}

/** The schema of one member or item; empty when there is none. */
export function childSchema(schema: JsonSchema, segment: string | number): JsonSchema {
  return (typeof segment === 'number' ? schema.items : schema.properties?.[segment]) ?? {}
}
