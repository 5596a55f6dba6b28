import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ETCD_CONNECTIONS, ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { conditionsOf, OPERATOR_USER, OperatorRig, type OperatorRun } from '../../support/operator-rig.ts'
import { startSilentServer } from '../../support/scripted-silent-server.ts'
import { eventually } from '../../support/wait.ts'
import { Writer } from '../../support/writer.ts'

const apiVersion = 'etcdmirror.dev/v1alpha1'
const SECRET = 'hunter2-of-the-victim'
const SHARED = { kind: 'ClusterEtcdConnection', name: 'shared' }

let api: KubeApi
let etcd: EtcdServer
let rig: OperatorRig
let operator: OperatorRun
/** Of one that means well, and of one that does not. Both may use the shared etcd, each below its own name. */
let victim: string
let hostile: string

beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
  api = await startKubeApi({ users: [OPERATOR_USER] })
  rig = await OperatorRig.make(api)
  victim = await rig.namespace({ tenant: 'yes', private: 'yes' })
  hostile = await rig.namespace({ tenant: 'yes' })
  await etcd.etcdctl(['put', `/t/${victim}/password`, SECRET])
  await etcd.etcdctl(['put', `/t/${hostile}-not/password`, SECRET])
  await etcd.etcdctl(['put', `/t/${hostile}/own`, 'mine'])
  const { endpoint } = etcd
  await rig.apply([
    clusterConnection('shared', { tenant: 'yes' }, ['/t/{namespace}/']),
    clusterConnection('private', { private: 'yes' }, ['']),
    {
      apiVersion,
      kind: 'EtcdConnection',
      metadata: { name: 'own', namespace: victim },
      spec: { endpoints: [endpoint] },
    },
  ])
  operator = await rig.operator(['--allow-kinds', 'v1/ConfigMap'])
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
  await etcd?.[Symbol.asyncDispose]()
})

const clusterConnection = (name: string, matchLabels: object, prefixes: readonly string[]) => ({
  apiVersion,
  kind: 'ClusterEtcdConnection',
  metadata: { name },
  spec: { endpoints: [etcd.endpoint], allow: [{ namespaceSelector: { matchLabels }, prefixes }] },
})
const mirror = (namespace: string, name: string, spec: object = {}) => ({
  apiVersion,
  kind: 'EtcdMirror',
  metadata: { name, namespace },
  spec: { connectionRef: SHARED, prefix: `/t/${namespace}/`, target: { configMap: { name } }, ...spec },
})
const untilConditions = (namespace: string, name: string, expected: Readonly<Record<string, string>>) =>
  rig.until(ETCD_MIRRORS, namespace, name, (object) => expect(conditionsOf(object)).toMatchObject(expected))
const dataOf = async (namespace: string, name: string) => (await rig.get(CONFIG_MAPS, namespace, name))?.data
const template = (data: string, head = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ name }} }') => ({
  target: { objects: { template: `${head}\ndata: { got: ${data} }\n` } },
})

describe('what is not granted is not read', () => {
  const tricks: Readonly<Record<string, () => readonly [spec: object, expected: string]>> = {
    'the prefix of another': () => [{ prefix: `/t/${victim}/` }, 'False/NotAllowed'],
    'a prefix above its own': () => [{ prefix: '/t/' }, 'False/NotAllowed'],
    everything: () => [{ prefix: '', rawPrefix: true }, 'False/NotAllowed'],
    'one that begins like its own': () => [{ prefix: `/t/${hostile}`, rawPrefix: true }, 'False/NotAllowed'],
    'one that begins like its own, with an end': () => [{ prefix: `/t/${hostile}-not/` }, 'False/NotAllowed'],
    'the pattern itself': () => [{ prefix: '/t/{namespace}/' }, 'False/NotAllowed'],
    'a connection that does not allow it': () => [
      { connectionRef: { kind: 'ClusterEtcdConnection', name: 'private' } },
      'False/NotAllowed',
    ],
    'the connection of another namespace': () => [{ connectionRef: { name: 'own' } }, 'False/ConnectionNotFound'],
    'the connection of another namespace, by a path': () => [
      { connectionRef: { name: `../${victim}/own` } },
      'False/ConnectionNotFound',
    ],
    'a cluster connection as if it were its own': () => [
      { connectionRef: { name: 'shared' } },
      'False/ConnectionNotFound',
    ],
  }

  test('by no trick, of many mirrors at once, beside one that may', async () => {
    const attempts = Object.values(tricks).map((trick, index) => ({ name: `trick-${index}`, trick: trick() }))
    await rig.apply([
      mirror(hostile, 'allowed'),
      ...attempts.map(({ name, trick: [spec] }) => mirror(hostile, name, spec)),
    ])
    await untilConditions(hostile, 'allowed', { Ready: 'True/Published' })
    for (const { name, trick } of attempts) {
      await untilConditions(hostile, name, { Ready: trick[1], Stalled: trick[1].replace('False', 'True') })
      expect(await dataOf(hostile, name)).toBeUndefined()
    }
    expect(await dataOf(hostile, 'allowed')).toEqual({ own: 'mine' })
  })

  test('a path upwards is a prefix as any other', async () => {
    await rig.apply([mirror(hostile, 'upwards', { prefix: `/t/${hostile}/../${victim}/` })])
    await untilConditions(hostile, 'upwards', { Ready: 'True/Published' })
    expect((await rig.get(ETCD_MIRRORS, hostile, 'upwards'))?.status).toMatchObject({ keys: 0 })
  })

  test('neither by what is changed once it runs', async () => {
    const asIs = { prefix: `/t/${hostile}/` }
    for (const [name, change] of [
      ['turns-prefix', { prefix: `/t/${victim}/` }],
      ['turns-connection', { connectionRef: { kind: 'ClusterEtcdConnection', name: 'private' } }],
    ] as const) {
      await rig.apply([mirror(hostile, name, asIs)])
      await untilConditions(hostile, name, { Ready: 'True/Published' })
      await rig.apply([mirror(hostile, name, { ...asIs, ...change })])
      await untilConditions(hostile, name, { Ready: 'False/NotAllowed' })
      // The copy of before stays.
      expect(await dataOf(hostile, name)).toEqual({ own: 'mine' })
    }
  })

  test('a template sees its own keys, and nothing of the operator', async () => {
    const asks = [
      `{{ "../${victim}/password" | getOr: "nothing" }}`,
      `{{ "/t/${victim}/password" | getOr: "nothing" }}`,
      `"[{{ '' | ls | join: ' ' }}]"`,
      '{{ "PATH" | env }}',
      '{{ key.constructor }}',
      "{% render '/etc/hostname' %}",
      "{% include '../../etc/hostname' %}",
      "{% layout '/etc/hostname' %}",
    ]
    const names = asks.map((_, index) => `asks-${index}`)
    await rig.apply(asks.map((ask, index) => mirror(hostile, `asks-${index}`, template(ask))))
    const answered = names.slice(0, 3)
    for (const name of answered) await untilConditions(hostile, name, { Ready: 'True/Published' })
    expect(await Promise.all(answered.map((name) => dataOf(hostile, `${name}.own`)))).toEqual([
      { got: 'nothing' },
      { got: 'nothing' },
      { got: '[]' },
    ])
    for (const name of names.slice(3)) {
      await rig.until(ETCD_MIRRORS, hostile, name, (object) =>
        expect(Object.values(conditionsOf(object))).toContainEqual(
          expect.stringMatching(/^(True\/KeyErrors|False\/InvalidSpec)$/),
        ),
      )
      expect(await dataOf(hostile, `${name}.own`)).toBeUndefined()
    }
  })

  test('a Secret is one of the own namespace, whatever its name says', async () => {
    const names = [`../${victim}/own`, `../../${victim}/secrets/login`, '..', '.']
    await api.kubectl(['-n', victim, 'create', 'secret', 'generic', 'login', '--from-literal=username=root'])
    await rig.apply(
      names.map((name, index) => ({
        apiVersion,
        kind: 'EtcdConnection',
        metadata: { name: `reaches-${index}`, namespace: hostile },
        spec: { endpoints: [etcd.endpoint], insecureTransport: true, auth: { secretRef: { name } } },
      })),
    )
    for (const index of names.keys()) {
      await rig.until(ETCD_CONNECTIONS, hostile, `reaches-${index}`, (object) =>
        expect(conditionsOf(object).Ready).toMatch(/^False\/(SecretNotFound|InvalidSpec)$/),
      )
    }
  })
})

test('what is not allowed is not made: other kinds, other namespaces, what gives power, what others have', async () => {
  const head = (apiVersionAndKind: string, metadata = '{ name: {{ name }} }') =>
    `${apiVersionAndKind}\nmetadata: ${metadata}`
  const heads = [
    head('apiVersion: v1\nkind: Secret'),
    head('apiVersion: v1\nkind: Pod'),
    head('apiVersion: rbac.authorization.k8s.io/v1\nkind: RoleBinding'),
    head('apiVersion: etcdmirror.dev/v1alpha1\nkind: EtcdMirror'),
    head('apiVersion: v1\nkind: ConfigMap', `{ name: {{ name }}, namespace: ${victim} }`),
    head('apiVersion: v1\nkind: ConfigMap', '{ name: taken }'),
    head('apiVersion: v1\nkind: ConfigMap', `{ name: "../../${victim}/configmaps/x" }`),
    head('apiVersion: v1\nkind: List\nitems: [{ apiVersion: v1, kind: Pod, metadata: { name: x } }]'),
  ]
  await api.kubectl(['-n', hostile, 'create', 'configmap', 'taken', '--from-literal=mine=yes'])
  await rig.apply(heads.map((each, index) => mirror(hostile, `makes-${index}`, template('x', each))))
  for (const index of heads.keys()) {
    await rig.until(ETCD_MIRRORS, hostile, `makes-${index}`, (object) =>
      expect(conditionsOf(object).Degraded).toMatch(/^True\/(KeyErrors|Foreign)$/),
    )
  }
  expect(await dataOf(hostile, 'taken')).toEqual({ mine: 'yes' })
  const found = await api.kubectl(['get', 'pods,secrets,rolebindings,etcdmirrors', '-A', '-o', 'name'])
  expect(found).not.toMatch(/makes-\d+\.own/)
  expect(await api.kubectl(['-n', victim, 'get', 'configmaps', '-o', 'name'])).not.toMatch(/makes|own/)
})

interface Attack {
  readonly spec: object
  readonly expected: Readonly<Record<string, string>>
}

test('kubectl describe of a cluster connection shows the events of it', async () => {
  await eventually(
    async () =>
      expect(await api.kubectl(['describe', 'clusteretcdconnection', 'shared'])).toMatch(
        /Events:\s+Type[\s\S]*Ready is True/,
      ),
    { timeoutMs: 60_000, intervalMs: 500 },
  )
})

describe('nobody is kept waiting by another', () => {
  const LOOP = '{% for i in (1..100000) %}{% for j in (1..100000) %}{% endfor %}{% endfor %}x'
  const EATS =
    '{% assign s = "0123456789abcdef" %}{% for i in (1..24) %}{% assign s = s | append: s | upcase | downcase %}{% assign l = s | split: "" %}{% endfor %}{{ l | size }}'
  /** Nine lists of nine lists of …, so many levels deep: a few bytes that are many. */
  const bombOf = (levels: number) =>
    Array.from(
      { length: levels },
      (_, level) =>
        `l${level}: &l${level} [${Array(9)
          .fill(level === 0 ? 'x' : `*l${level - 1}`)
          .join(', ')}]`,
    ).join('\n')
  /** Fifty of these, rendered in the operator itself, hold it up for so long that it loses the leadership. */
  const BOMB = bombOf(6)
  const BOMBS_AS_YAML = { file: 'all.json', syntax: 'Json', values: [{ keys: ['**'], as: 'Yaml' }] }
  const GLOBS = Array.from({ length: 4 }, (_, index) => `**/*${'a?'.repeat(500)}b${index}*`)
  const KEYS = 100_000

  const attacks: Readonly<Record<string, Attack>> = {
    loops: { spec: template(LOOP), expected: { Degraded: 'True/RenderFailed' } },
    eats: { spec: template(EATS), expected: { Degraded: 'True/RenderFailed' } },
    bombs: {
      spec: { prefix: '/bombs/', target: { configMap: { name: 'bombs', render: [{ document: BOMBS_AS_YAML }] } } },
      expected: { Degraded: 'True/RenderFailed' },
    },
    'bombs-in-template': {
      spec: {
        prefix: '/bombs/',
        ...template('x', `${bombOf(10)}\napiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ name }} }`),
      },
      expected: { Degraded: 'True/RenderFailed' },
    },
    globs: {
      spec: { prefix: '/many/', keys: { include: GLOBS }, target: { etcdKeys: {} } },
      expected: { Ready: 'True/Published' },
    },
    'globs-many': {
      spec: { prefix: '/many/', keys: { include: [...GLOBS, ...GLOBS] }, target: { etcdKeys: {} } },
      expected: { Ready: 'False/InvalidSpec' },
    },
    huge: { spec: { prefix: '/huge/' }, expected: { Stalled: 'True/TooLarge' } },
    'huge-keys': { spec: { prefix: '/huge/', target: { etcdKeys: {} } }, expected: { Degraded: 'True/KeyErrors' } },
    names: { spec: { prefix: '/names/' }, expected: { Degraded: 'True/KeyErrors' } },
    'too-many': {
      spec: { prefix: '/many/', limits: { maxKeys: KEYS - 1 }, target: { etcdKeys: {} } },
      expected: { Degraded: 'True/LimitExceeded' },
    },
    'too-large': { spec: { prefix: '/many/' }, expected: { Stalled: 'True/TooLarge' } },
  }

  async function attackOf(name: string, { spec, expected }: Attack, { endpoint }: EtcdServer) {
    const namespace = await rig.namespace()
    const metadata = { name: 'etcd', namespace }
    const objects = [
      { apiVersion, kind: 'EtcdConnection', metadata, spec: { endpoints: [endpoint] } },
      mirror(namespace, name, { connectionRef: { name: 'etcd' }, prefix: '/one/', ...spec }),
    ]
    return { name, namespace, objects, expected }
  }

  /** An etcd of the hostile tenant itself, where it may write what it likes. */
  async function hostileKeys(own: EtcdServer): Promise<void> {
    using writer = await Writer.open(own.endpoint, '/')
    const write = async (start: number) => {
      const names = Array.from({ length: 1000 }, (_, index) => `many/${'aa/'.repeat(3)}${start + index}`)
      await writer.txn(Object.fromEntries(names.map((name) => [name, 'a value that is not short'])))
    }
    for (let start = 0; start < KEYS; start += 10_000) {
      await Promise.all(Array.from({ length: 10 }, (_, index) => write(start + 1000 * index)))
    }
    await writer.txn(Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`bombs/${index}`, BOMB])))
    await writer.put('one/key', 'x')
    await writer.put('huge/value', 'x'.repeat(1_400_000))
    await writer.put(`many/${'a'.repeat(100_000)}`)
    const names = ['..', '', '../../x', 'a//b', '%2e%2e', '\n', '\0', '__proto__', 'constructor', 'x'.repeat(5000)]
    for (const name of [...names, Buffer.from([0xff, 0xfe])])
      await writer.put(Buffer.concat([Buffer.from('names/'), Buffer.from(name)]))
  }

  test('by etcds that take calls and never answer', async () => {
    await using silent = await startSilentServer()
    const own = (namespace: string, name: string, spec: object) => ({
      apiVersion,
      kind: 'EtcdConnection',
      metadata: { name, namespace },
      spec,
    })
    const spec = { endpoints: [silent.endpoint], dialTimeout: '10m', operationTimeout: '10m' }
    const names = Array.from({ length: 20 }, (_, index) => `silent-${index}`)
    await rig.apply(names.map((name) => own(hostile, name, spec)))
    await rig.until(ETCD_CONNECTIONS, hostile, 'silent-0', (object) =>
      expect(conditionsOf(object).Ready).toBe('False/DeadlineExceeded'),
    )
    await rig.apply([own(victim, 'later', { endpoints: [etcd.endpoint] })])
    await rig.until(ETCD_CONNECTIONS, victim, 'later', (object) =>
      expect(conditionsOf(object).Ready).toBe('True/Connected'),
    )
    await api.kubectl(['-n', hostile, 'delete', 'etcdconnections', ...names])
  })

  test('loops, memory, bombs, patterns, huge values and names, too many keys: changes of others arrive meanwhile', async () => {
    await using own = await startEtcd({ version: '3.6' })
    await hostileKeys(own)
    const honest = [mirror(victim, 'plain'), mirror(victim, 'made', template('{{ value | toJson }}'))]
    const put = (value: string) => etcd.etcdctl(['put', `/t/${victim}/password`, value])
    const untilBoth = async (value: string) => {
      const holds = (field: string) => (object: KubeObject | undefined) =>
        expect(object?.data).toMatchObject({ [field]: value })
      await rig.until(CONFIG_MAPS, victim, 'plain', holds('password'))
      await rig.until(CONFIG_MAPS, victim, 'made.password', holds('got'))
    }
    await rig.apply(honest)
    await untilBoth(SECRET)
    // Each by a tenant of its own: those of one namespace wait for each other.
    const attackers = await Promise.all(Object.entries(attacks).map(([name, attack]) => attackOf(name, attack, own)))
    await rig.apply(attackers.flatMap(({ objects }) => objects))
    for (const [index, { namespace, name, expected }] of attackers.entries()) {
      await put(`change ${index}`)
      await untilBoth(`change ${index}`)
      await untilConditions(namespace, name, expected)
    }
    await put('last')
    await untilBoth('last')
    expect(await operator.leads()).toBe(true)
    expect(operator.process.logs.filter(({ msg }) => String(msg).startsWith('lost the leadership'))).toEqual([])
  }, 900_000)
})
