import { expect, test } from 'vitest'
import { parse } from 'yaml'
import { mirrorFileJsonSchema } from '../../../src/config/mirror-file-json-schema.ts'
import type { JsonSchema } from '../../../src/config-files/json-schema.ts'
import { ONE_MIRROR } from './config-dir.ts'

const root = mirrorFileJsonSchema()

/** Every schema node with its path; items count as `[]`. */
function nodes(schema: JsonSchema, path = ''): [string, JsonSchema][] {
  const members = Object.entries(schema.properties ?? {}).flatMap(([key, member]) =>
    nodes(member, path === '' ? key : `${path}.${key}`),
  )
  return [[path, schema], ...members, ...(schema.items ? nodes(schema.items, `${path}[]`) : [])]
}

test('mirrorFileJsonSchema is draft 2020-12 and has a title', () => {
  expect(root.$schema).toBe('https://json-schema.org/draft/2020-12/schema')
  expect(root.title).toBe('mirror.yaml of etcd-mirror')
})

test('mirrorFileJsonSchema refuses unknown keys in every object and describes every field', () => {
  for (const [path, schema] of nodes(root)) {
    const isOpen = /\.(labels|annotations|headers|headerFiles)$/.test(path)
    const additional = isOpen ? { type: 'string' } : false
    if (schema.type === 'object') expect([path, schema.additionalProperties]).toEqual([path, additional])
    if (path !== '') expect([path, typeof schema.description]).toEqual([path, 'string'])
  }
})

test('mirrorFileJsonSchema needs no unions but the one a structural CRD may have: int or string', () => {
  for (const [path, schema] of nodes(root)) {
    expect([path, schema.oneOf ?? schema.allOf ?? schema.not]).toEqual([path, undefined])
    if (schema.anyOf === undefined) continue
    expect([path, schema['x-kubernetes-int-or-string']]).toEqual([path, true])
    expect((schema.anyOf as JsonSchema[]).map(({ type }) => type)).toEqual(['integer', 'string'])
  }
})

/** Every mapping of a document with the schema node that belongs to it. */
function mappings(value: unknown, schema: JsonSchema): [object, JsonSchema][] {
  if (Array.isArray(value)) return value.flatMap((item) => mappings(item, schema.items ?? {}))
  if (typeof value !== 'object' || value === null) return []
  const members = Object.entries(value).flatMap(([key, member]) => mappings(member, schema.properties?.[key] ?? {}))
  return [[value, schema], ...members]
}

test('the first example holds every key that mirrorFileJsonSchema requires, and no unknown one', () => {
  const found = mappings(parse(ONE_MIRROR), root)
  expect(found).toHaveLength(4)
  for (const [mapping, { properties = {}, required = [] }] of found) {
    expect(Object.keys(properties)).toEqual(expect.arrayContaining(Object.keys(mapping)))
    expect(Object.keys(mapping)).toEqual(expect.arrayContaining(required as string[]))
  }
})
