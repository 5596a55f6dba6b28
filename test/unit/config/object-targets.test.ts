import { describe, expect, test } from 'vitest'
import { targetSchema } from '../../../src/config/target-schema.ts'
import { mirrorFaults } from './config-dir.ts'

const withTarget = (target: string) => `mirrors:
  - name: app
    prefix: /a/
    target:
      ${target}
`

const faultsOf = (target: string) => mirrorFaults(withTarget(target))

test('targetSchema fills in what is not written', () => {
  const common = { labels: {}, annotations: {}, creationPolicy: 'Owner', deletionPolicy: 'Delete' }
  const render = [{ tree: {} }]
  const configMap = { name: 'app' }
  expect(targetSchema.parse({ configMap })).toEqual({ configMap: { ...configMap, ...common, render } })
  expect(targetSchema.parse({ secret: { name: 'app' } })).toEqual({
    secret: { name: 'app', type: 'Opaque', ...common, render },
  })
  expect(targetSchema.parse({ etcdKeys: {} })).toEqual({ etcdKeys: { deletionPolicy: 'Delete' } })
  expect(targetSchema.parse({ objects: { template: 'x' } })).toEqual({
    objects: { template: 'x', per: 'Key', values: 'Text', deletionPolicy: 'Delete' },
  })
})

describe('faults of Kubernetes targets', () => {
  test.each([
    ['configMap: { name: app }\n      secret: { name: app }', 'target: must hold exactly one of: files, configMap'],
    ['configMap: {}', 'target.configMap.name: is missing'],
    ['configMap: { name: App }', 'target.configMap.name: must be a DNS subdomain'],
    [`configMap: { name: ${'a'.repeat(254)} }`, 'target.configMap.name: must not be longer than 253'],
    ['configMap: { name: a, labels: { "a b": c } }', 'target.configMap.labels.a b: must have a name of 1 to 63'],
    ['configMap: { name: a, labels: { X/a: c } }', 'target.configMap.labels.X/a: must have a DNS subdomain before'],
    ['configMap: { name: a, labels: { a: -c } }', 'target.configMap.labels.a: must have a value of at most 63'],
    ['configMap: { name: a, labels: { a: 1 } }', 'target.configMap.labels.a: must be text: put it in quotes'],
    [
      'configMap: { name: a, annotations: { etcdmirror.dev/x: c } }',
      'target.configMap.annotations.etcdmirror.dev/x: is set by the mirror itself',
    ],
    [
      'secret: { name: a, labels: { app.kubernetes.io/managed-by: me } }',
      'target.secret.labels.app.kubernetes.io/managed-by: is set by the mirror itself',
    ],
    [
      `configMap: { name: a, annotations: { a: ${'x'.repeat(196_608)} } }`,
      'target.configMap.annotations.a: makes all annotations together larger than 192 KiB',
    ],
    [
      `configMap: { name: a, labels: { ${Array.from({ length: 65 }, (_, index) => `l${index}: x`).join(', ')} } }`,
      'target.configMap.labels.l64: is one too many: at most 64 may be set',
    ],
    ['configMap: { name: a, creationPolicy: Mine }', 'target.configMap.creationPolicy: must be Owner or Merge'],
    ['configMap: { name: a, render: [{}] }', 'render[0]: must hold exactly one of: tree, document'],
    ['configMap: { name: a, render: [{ tree: {} }, { tree: {} }] }', 'render: must hold the tree once, and no two'],
    [
      'configMap: { name: a, render: [{ document: { file: a/b, syntax: Json } }] }',
      'render[0].document.file: must hold only letters',
    ],
    [
      'configMap: { name: a, render: [{ document: { file: ..data, syntax: Json } }] }',
      'render[0].document.file: must not be "." nor begin with ".."',
    ],
    [
      'secret: { name: a, type: kubernetes.io/service-account-token }',
      'target.secret.type: must not be a type that gives access to the cluster',
    ],
    ['objects: { template: x, per: Directory }', 'target.objects.per: must be Key or Group'],
    ['objects: {}', 'target.objects.template: is missing'],
    [`objects: { template: ${'x'.repeat(65_537)} }`, 'target.objects.template: must not be longer than 65536'],
  ])('%#', async (target, fault) => {
    expect(await faultsOf(target)).toEqual([expect.stringContaining(fault)])
  })
})
