import { expect, test } from 'vitest'
import { schemaFault } from '../../../../src/targets/validate/schema-fault.ts'

test.each([
  ['no schema', [], 'is no JSON Schema'],
  ['no schema', 'text', 'is no JSON Schema'],
  [
    'two of one address',
    { $defs: { a: { $id: 'x:a' }, b: { $id: 'x:a' } } },
    /^is no JSON Schema: Duplicate schema URI "x:a/,
  ],
  ['an address that is none', { $id: 'http://[' }, /^is no JSON Schema: /],
  ['a reference to nothing', { items: { $ref: '#/$defs/a' } }, 'refers to #/$defs/a, which is not in it'],
  [
    'a reference to elsewhere',
    { $ref: 'https://example.com/a' },
    'refers to https://example.com/a, which is not in it',
  ],
  ['a pattern', { items: { pattern: '(' } }, 'has the pattern "(", which is no regular expression'],
  ['a pattern of names', { patternProperties: { '[': true } }, 'has the pattern "[", which is no regular expression'],
])('schemaFault finds %s', (_what, schema, fault) => {
  expect(schemaFault(schema)).toEqual(typeof fault === 'string' ? fault : expect.stringMatching(fault))
})

test.each([
  [true],
  [{}],
  [{ $id: 'https://example.com/app', $defs: { port: { $anchor: 'port', type: 'integer' } }, $ref: '#port' }],
  [{ $defs: { a: { pattern: '^a$' } }, properties: { list: { items: { $ref: '#/$defs/a' } }, self: { $ref: '#' } } }],
  [{ $defs: { other: { $id: 'https://example.com/b' } }, items: { $ref: 'https://example.com/b' } }],
  // A value, no schema.
  [{ const: { $ref: '#/nowhere', pattern: '(' }, enum: [{ $ref: 'x' }], default: { $id: 'http://[' } }],
])('schemaFault lets %j be', (schema) => {
  const before = structuredClone(schema)
  expect(schemaFault(schema)).toBeUndefined()
  expect(schema).toEqual(before)
})
