import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { customResourceDefinitions, RESOURCE_KINDS, resourceSchema } from '../../../src/config/crd.ts'
import { etcdMirrorSpecSchema } from '../../../src/config/mirror-resource.ts'
import { structuralSchema } from '../../../src/config/structural-schema.ts'
import type { JsonSchema } from '../../../src/config-files/json-schema.ts'

interface Definition {
  readonly metadata: { readonly name: string }
  readonly spec: {
    readonly versions: readonly { readonly schema: { readonly openAPIV3Schema: JsonSchema } }[]
  }
}

/** Every schema node with its path; items count as `[]`, values of maps as `{}`. */
function nodes(schema: JsonSchema, path = ''): [string, JsonSchema][] {
  const members = Object.entries(schema.properties ?? {}).flatMap(([key, member]) => nodes(member, `${path}.${key}`))
  const values = schema.additionalProperties as JsonSchema | undefined
  return [
    [path, schema],
    ...members,
    ...(schema.items ? nodes(schema.items, `${path}[]`) : []),
    ...(values ? nodes(values, `${path}{}`) : []),
  ]
}

const schemas = (customResourceDefinitions() as unknown as Definition[]).map(({ metadata, spec }) => ({
  name: metadata.name,
  schema: spec.versions[0]?.schema.openAPIV3Schema ?? {},
}))

test('crds/ and docs/custom-resources.md say what the code says', async () => {
  const script = fileURLToPath(new URL('../../../scripts/generate.mjs', import.meta.url))
  await promisify(execFile)(process.execPath, [script, '--check'])
})

test('there is a definition of each kind', () => {
  expect(schemas.map(({ name }) => name)).toEqual([
    'etcdmirrors.etcdmirror.dev',
    'etcdconnections.etcdmirror.dev',
    'clusteretcdconnections.etcdmirror.dev',
    'etcdkeys.etcdmirror.dev',
  ])
})

test.each(schemas)('$name is structural, has no defaults and describes every field', ({ schema }) => {
  for (const [path, node] of nodes(schema)) {
    const variants = ['oneOf', 'anyOf', 'allOf', 'not', '$ref', 'default'].filter((keyword) => keyword in node)
    expect([path, variants]).toEqual([path, []])
    expect([path, node.type ?? node['x-kubernetes-int-or-string']]).toEqual([path, expect.anything()])
    const isUndescribed = path === '.metadata' || path.endsWith('{}')
    if (!isUndescribed)
      expect([path, node.description]).toEqual([path, expect.stringMatching(/^[A-Z].*\.( .*)?$|v1alpha1$/)])
    expect([path, 'properties' in node && 'additionalProperties' in node]).toEqual([path, false])
  }
})

test('EtcdMirror has every field of a mirror in mirror.yaml, but what would run in or read from the operator', () => {
  const [mirror] = RESOURCE_KINDS
  if (mirror === undefined) throw new Error('no EtcdMirror')
  const paths = nodes(resourceSchema(mirror)).map(([path]) => path)
  for (const path of ['.spec.keys.include', '.spec.limits.maxKeys', '.spec.safety.refuseEmpty', '.spec.verifyEvery']) {
    expect(paths).toContain(path)
  }
  expect(paths.filter((path) => /\.(root|hooks|startup|seedFrom|exec|command|source|name)$/.test(path))).toEqual([
    '.spec.connectionRef.name',
    '.spec.target.configMap.name',
    '.spec.target.secret.name',
    '.spec.target.objects.templateFrom.configMapKeyRef.name',
  ])
})

test('etcdMirrorSpecSchema fills in the defaults of mirror.yaml', () => {
  const spec = { connectionRef: { name: 'main' }, prefix: '/a/', target: { etcdKeys: {} } }
  expect(etcdMirrorSpecSchema.parse(spec)).toMatchObject({
    connectionRef: { kind: 'EtcdConnection', name: 'main' },
    maxStaleness: 0,
    verifyEvery: 3_600_000,
    limits: { maxKeys: 250_000 },
    target: { etcdKeys: { deletionPolicy: 'Delete' } },
  })
})

test.each([
  ['oneOf', { oneOf: [{ type: 'string' }] }],
  ['anyOf', { type: 'object', properties: { a: { anyOf: [{ type: 'string' }] } } }],
  ['prefixItems', { type: 'array', prefixItems: [{ type: 'string' }] }],
])('structuralSchema refuses %s', (keyword, schema) => {
  expect(() => structuralSchema(schema as JsonSchema)).toThrow(`${keyword} is not allowed`)
})

test('structuralSchema tells a default in the description, and keeps only what an API server takes', () => {
  const schema = {
    $schema: 'x',
    type: 'object',
    additionalProperties: false,
    properties: {
      size: {
        'x-kubernetes-int-or-string': true,
        anyOf: [{ type: 'integer' }, { type: 'string' }],
        default: '8Mi',
        description: 'A size.',
      },
      labels: { type: 'object', propertyNames: { type: 'string' }, additionalProperties: { type: 'string' } },
      count: { type: 'integer', minimum: 1, maximum: Number.MAX_SAFE_INTEGER },
    },
  }
  expect(structuralSchema(schema)).toEqual({
    type: 'object',
    properties: {
      size: { 'x-kubernetes-int-or-string': true, description: 'A size. Default: "8Mi".' },
      labels: { type: 'object', additionalProperties: { type: 'string' } },
      count: { type: 'integer', format: 'int64', minimum: 1 },
    },
  })
})
