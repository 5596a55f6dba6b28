import { expect, test } from 'vitest'
import { mirrorRequest } from '../../../src/operator/mirror-spec.ts'

const request = (spec: object) =>
  mirrorRequest({ metadata: { name: 'app' }, spec: { connectionRef: { name: 'main' }, prefix: '/a/', ...spec } })

const templateFrom = (name: string) => ({
  target: { objects: { templateFrom: { configMapKeyRef: { name, key: 'thing' } } } },
})

test('an EtcdMirror is a mirror as mirror.yaml has it, with the same defaults', () => {
  expect(request({ target: { configMap: { name: 'x' } }, maxStaleness: '5m' })).toMatchObject({
    kind: 'mirror',
    connection: { kind: 'EtcdConnection', name: 'main' },
    config: {
      name: 'app',
      prefix: Buffer.from('/a/'),
      maxStalenessMs: 300_000,
      verifyEveryMs: 3_600_000,
      target: { configMap: { name: 'x', deletionPolicy: 'Delete', render: [{ tree: {} }] } },
    },
  })
})

test('files are for sidecars', () => {
  expect(request({ target: { files: {} } })).toMatchObject({
    kind: 'files',
    connection: { name: 'main' },
    prefix: '/a/',
  })
})

test('a template in a ConfigMap is asked for first', () => {
  const asked = request(templateFrom('templates'))
  if (asked.kind !== 'template') throw new Error(asked.kind)
  expect(asked.from).toEqual({ configMapKeyRef: { name: 'templates', key: 'thing' } })
  const inline = request({ target: { objects: { template: 'text' } } })
  expect(inline).toMatchObject({ config: asked.configWith('text') })
  expect(inline).not.toMatchObject({ config: asked.configWith('other') })
})

test.each([
  [{ target: { objects: {} } }, 'spec.target.objects: must hold exactly one of: template, templateFrom'],
  [{ prefix: '/a', target: { etcdKeys: {} } }, 'spec.prefix: must end in "/"'],
  [{ target: {} }, 'spec.target: must hold exactly one of: configMap, secret, etcdKeys, objects, files'],
  [{ target: { etcdKeys: {}, configMap: { name: 'x' } } }, 'spec.target: must hold exactly one of'],
  [{ target: { configMap: { name: 'X' } } }, 'spec.target.configMap.name: must be a DNS subdomain'],
  [templateFrom('a,b'), 'spec.target.objects.templateFrom.configMapKeyRef.name: must be a DNS subdomain'],
  [{ target: { configMap: { name: 'x', render: [{}] } } }, 'spec.target.configMap.render[0]: must hold exactly one'],
  [{ target: { files: { root: '/etc' } } }, 'spec.target.files: '],
  [{ target: { files: { hooks: [] } } }, 'spec.target.files: '],
  // Nothing of a tenant runs in the operator.
  [{ target: { files: { validate: [{ files: ['**'], command: ['true'] }] } } }, 'spec.target.files: '],
  [{ target: { configMap: { name: 'x', validate: [] } } }, 'spec.target.configMap: '],
])('%j is refused with its path, whatever the API server let pass', (spec, message) => {
  expect(request(spec)).toMatchObject({
    kind: 'refused',
    reason: 'InvalidSpec',
    message: expect.stringContaining(message),
  })
})

test('specFaults tells at most five', () => {
  const limits = { maxKeys: 0, maxBytes: 'x', maxValueBytes: 'x' }
  const safety = { maxDeletePercent: 101, allowDeleteUpTo: -1, refuseEmpty: 'x' }
  expect(request({ limits, safety, target: { etcdKeys: {} } })).toMatchObject({
    message: expect.stringMatching(/; and 1 more$/),
  })
})

test('of groups of keys an operator keeps 16 MiB at most', () => {
  const limitOf = (per: string, maxBytes?: string) =>
    request({ target: { objects: { template: 'x', per } }, ...(maxBytes && { limits: { maxBytes } }) })
  const mebibytes = (count: number) => ({ config: { limits: { maxBytes: count * 1024 * 1024 } } })
  expect(limitOf('Key')).toMatchObject(mebibytes(256))
  expect(limitOf('Group')).toMatchObject(mebibytes(16))
  expect(limitOf('Group', '8Mi')).toMatchObject(mebibytes(8))
})
