import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'

const mirror = (spec: object, name = 'app') => ({
  apiVersion: 'etcdmirror.dev/v1alpha1',
  kind: 'EtcdMirror',
  metadata: { name, namespace: 'default' },
  spec: { connectionRef: { name: 'main' }, prefix: '/a/', ...spec },
})
const connection = (spec: object, kind = 'EtcdConnection') => ({
  apiVersion: 'etcdmirror.dev/v1alpha1',
  kind,
  metadata: { name: 'main', ...(kind === 'EtcdConnection' && { namespace: 'default' }) },
  spec: { endpoints: ['etcd:2379'], ...spec },
})
const key = (spec: object) => ({
  apiVersion: 'etcdmirror.dev/v1alpha1',
  kind: 'EtcdKey',
  metadata: { name: 'app.a', namespace: 'default' },
  spec: { createRevision: 1, modRevision: 2, version: 1, ...spec },
})

const configMap = (fields: object) => ({ target: { configMap: { name: 'app', ...fields } } })
const secret = (fields: object) => ({ target: { secret: { name: 'app', ...fields } } })

describe.each(['1.34', '1.37'] as const)('crds/ on Kubernetes %s', (minor) => {
  let api: KubeApi

  beforeAll(async () => {
    api = await startKubeApi({ minor })
    await api.define()
  })
  afterAll(async () => {
    await api?.[Symbol.asyncDispose]()
  })

  const apply = (object: object, args: readonly string[] = ['--dry-run=server']) =>
    api.kubectl(['apply', ...args, '-f', '-'], { input: JSON.stringify(object) })
  const refusal = (object: object) =>
    apply(object).then(
      () => 'accepted',
      (error: Error) => error.message,
    )

  test('are accepted as structural and without a warning', async () => {
    const text = await api.kubectl(['get', 'crd', '-o', 'json'])
    const { items } = JSON.parse(text) as { items: { status: { conditions: { type: string; status: string }[] } }[] }
    expect(items).toHaveLength(4)
    for (const { status } of items) {
      const held = status.conditions.filter((condition) => condition.status === 'True').map(({ type }) => type)
      expect(held.sort()).toEqual(['Established', 'NamesAccepted'])
    }
  })

  test.each([
    ['every field of a mirror', mirror(FULL_MIRROR)],
    ['a mirror of everything by rawPrefix', mirror({ prefix: '', rawPrefix: true, target: { etcdKeys: {} } })],
    ['a secret', mirror(secret({ type: 'kubernetes.io/tls' }))],
    ['objects', mirror({ target: { objects: { template: '{}' } } })],
    ['objects by a ConfigMap', mirror({ target: { objects: { templateFrom: TEMPLATE } } })],
    ['files', mirror({ target: { files: { render: [{ tree: {} }] } } })],
    ['a connection', connection({ endpoints: ['https://a:1'], tls: { secretRef: { name: 's' } } })],
    [
      'timeouts',
      connection({ dialTimeout: '1m30s', operationTimeout: '1.5m', keepaliveTime: 0, keepaliveTimeout: '.5s' }),
    ],
    ['a password in plain text that is meant', connection({ insecureTransport: true, auth: AUTH })],
    ['a cluster connection', connection({ allow: ALLOW }, 'ClusterEtcdConnection')],
    ['a key', key({ key: '/a/b', value: 'c' })],
    ['a key of bytes', key({ keyBase64: '/w==', valueBase64: '/w==', lease: '694d' })],
  ])('accept %s', async (_name, object) => {
    expect(await refusal(object)).toBe('accepted')
  })

  test.each([
    ['a name with a dot', mirror(configMap({}), 'a.b'), 'the name must be a DNS label of at most 63 characters'],
    ['a name of 64', mirror(configMap({}), 'a'.repeat(64)), 'the name must be a DNS label of at most 63 characters'],
    ['no target', mirror({ target: {} }), 'must hold exactly one of: configMap, secret'],
    ['two targets', mirror({ target: { configMap: { name: 'a' }, etcdKeys: {} } }), 'must hold exactly one of'],
    [
      'two templates',
      mirror({ target: { objects: { template: '{}', templateFrom: TEMPLATE } } }),
      'exactly one of: temp',
    ],
    ['no template', mirror({ target: { objects: {} } }), 'must hold exactly one of: template, templateFrom'],
    ['a prefix without an end', mirror({ prefix: '/a', ...configMap({}) }), 'must end in "/"'],
    ['an unknown enum', mirror(configMap({ creationPolicy: 'Mine' })), 'Unsupported value: "Mine"'],
    ['a bad name', mirror(configMap({ name: 'Nope' })), 'must be a DNS subdomain'],
    [
      'a ConfigMap that cannot be',
      mirror({ target: { objects: { templateFrom: { configMapKeyRef: { name: 'a,b', key: 'c' } } } } }),
      'must be a DNS subdomain',
    ],
    ['a label of the mirror', mirror(configMap({ labels: { 'etcdmirror.dev/x': 'y' } })), 'the mirror sets itself'],
    ['an empty rendering', mirror(configMap({ render: [{}] })), 'must hold exactly one of: tree, document'],
    ['a token', mirror(secret({ type: 'kubernetes.io/service-account-token' })), 'gives access to the cluster'],
    ['a percentage', mirror({ safety: { maxDeletePercent: 101 }, ...configMap({}) }), 'less than or equal to 100'],
    ['a duration without a unit', mirror({ verifyEvery: '5', ...configMap({}) }), 'spec.verifyEvery: Invalid value'],
    ['a number as a duration', mirror({ maxStaleness: 5, ...configMap({}) }), 'must be 0 or numbers with a unit'],
    ['a size', mirror({ limits: { maxBytes: '1Xi' }, ...configMap({}) }), 'must be a whole number with an optional k'],
    ['no size', mirror({ limits: { maxBytes: 0 }, ...configMap({}) }), 'spec.limits.maxBytes: Invalid value'],
    ['a mode', mirror({ target: { files: { mode: '0999' } } }), 'must be an octal mode in quotes'],
    ['a negative timeout', connection({ dialTimeout: '-1s' }), 'must be 0 or numbers with a unit'],
    ['a long timeout', connection({ operationTimeout: '9m60.5s' }), 'must be at most 10m'],
    [
      'a selector that would select everything',
      connection({ allow: [{ ...ALLOW[0], namespaceSelector: NOT_IN_NOTHING }] }, 'ClusterEtcdConnection'),
      'In and NotIn need values',
    ],
    ['no endpoint', connection({ endpoints: [] }), 'should have at least 1 items'],
    ['a password in plain text', connection({ auth: AUTH }), 'would be sent in plain text'],
    ['tls and none', connection({ insecureTransport: true, tls: {} }), 'contradicts insecureTransport'],
    ['https and none', connection({ insecureTransport: true, endpoints: ['https://a'] }), 'contradicts insecure'],
    ['http and tls', connection({ tls: {}, endpoints: ['http://a'] }), 'contradicts tls'],
    [
      'a prefix to allow without an end',
      connection({ allow: [{ namespaceSelector: {}, prefixes: ['/a'] }] }, 'ClusterEtcdConnection'),
      'must end in "/", or be empty',
    ],
    ['two keys', key({ key: 'a', keyBase64: 'YQ==' }), 'must hold exactly one of: key, keyBase64'],
    ['no key', key({}), 'must hold exactly one of: key, keyBase64'],
    ['an unknown field', mirror({ prefixx: '/a/', ...configMap({}) }), 'unknown field "spec.prefixx"'],
  ])('refuse %s', async (_name, object, message) => {
    expect(await refusal(object)).toContain(message)
  })

  test('the kind and the name of a target cannot change; everything else can', async () => {
    await apply(mirror(configMap({})), [])
    expect(await refusal(mirror({ target: { etcdKeys: {} } }))).toContain('the kind of the target cannot change')
    expect(await refusal(mirror(configMap({ name: 'other' })))).toContain('cannot change: delete the EtcdMirror')
    expect(await refusal(mirror({ ...configMap({ deletionPolicy: 'Retain' }), prefix: '/b/' }))).toBe('accepted')
  })

  test('kubectl explain tells what a field means, its values and its default', async () => {
    const text = await api.kubectl(['explain', 'etcdmirror.spec.target.configMap'])
    const words = text.replaceAll(/\s+/g, ' ')
    expect(words).toContain('One ConfigMap that holds the whole prefix at one revision, up to 900 KiB.')
    expect(words).toContain('enum: Owner, Merge Owner: the object belongs to the mirror')
    expect(words).toContain('name <string> -required- Name of the object, in the namespace of the mirror.')
    expect(words).toContain('Default: "Delete".')
  })

  test('kubectl get shows what matters, by short names too', async () => {
    await apply(key({ key: '/a/b', value: 'c' }), [])
    const [header, row] = (await api.kubectl(['get', 'ek'])).trim().split('\n')
    expect(header?.split(/\s+/)).toEqual(['NAME', 'KEY', 'REVISION', 'VERSION', 'MIRROR', 'AGE'])
    expect(row?.split(/\s+/).slice(0, 4)).toEqual(['app.a', '/a/b', '2', '1'])
    expect(await api.kubectl(['get', 'ek', '--field-selector', 'spec.key=/a/b', '-o', 'name'])).toContain('app.a')
    expect((await api.kubectl(['get', 'em'])).split('\n')[0]?.split(/\s+/)).toEqual(
      expect.arrayContaining(['READY', 'REASON', 'TARGET', 'REVISION', 'KEYS', 'DEGRADED', 'AGE']),
    )
    for (const name of ['ec', 'cec', 'etcd-mirror']) await api.kubectl(['get', name])
  })
})

const TEMPLATE = { configMapKeyRef: { name: 'templates', key: 'thing.yaml' } }
const AUTH = { secretRef: { name: 'login' } }
const ALLOW = [
  {
    namespaceSelector: {
      matchLabels: { team: 'web' },
      matchExpressions: [{ key: 'tier', operator: 'In', values: ['front'] }],
    },
    prefixes: ['/config/{namespace}/', ''],
  },
]
const NOT_IN_NOTHING = { matchExpressions: [{ key: 'tier', operator: 'NotIn' }] }
const FULL_MIRROR = {
  connectionRef: { kind: 'ClusterEtcdConnection', name: 'main' },
  maxStaleness: 0,
  keys: { include: ['**'], exclude: ['secret/*'], leased: 'Skip' },
  limits: { maxKeys: 10, maxBytes: '1Mi', maxValueBytes: 1024 },
  safety: { refuseEmpty: false, maxDeletePercent: 100, allowDeleteUpTo: 9_007_199_254_740_991 },
  verifyEvery: '5m',
  ...configMap({
    labels: { team: 'web' },
    annotations: { 'example.com/note': 'any text' },
    creationPolicy: 'Merge',
    deletionPolicy: 'Retain',
    render: [{ tree: {} }, { document: { file: 'all.json', syntax: 'Json', keys: ['a/**'], structure: 'Flat' } }],
  }),
}
