import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import { CONFIG_MAPS, type KubeResource } from '../../../src/kube/kube-resource.ts'
import { ETCD_CONNECTIONS, ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { conditionsOf, OPERATOR_USER, OperatorRig, type OperatorRun } from '../../support/operator-rig.ts'
import { eventually } from '../../support/wait.ts'
import { Writer } from '../../support/writer.ts'

/** CONTRIBUTING.md says how to run it with 1,000 mirrors and 10,000 resources of nonsense. */
const MIRRORS = Number(process.env.SCALE_MIRRORS ?? 200)
const NONSENSE = Number(process.env.SCALE_NONSENSE ?? 600)
const KEYS = 20
const CONCURRENCY = 32
const PATIENT = { timeoutMs: 1_200_000, intervalMs: 500 }
const MiB = 1024 * 1024

const apiVersion = 'etcdmirror.dev/v1alpha1'
const never = new AbortController().signal

let api: KubeApi
let etcd: EtcdServer
let rig: OperatorRig
let operator: OperatorRun
let writer: Writer
let namespace: string
const names = Array.from({ length: MIRRORS }, (_, index) => `m${index}`)
/** What each ConfigMap should hold. */
const expected = new Map(names.map((name) => [name, valuesOf(name)]))

beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
  api = await startKubeApi({ users: [OPERATOR_USER] })
  rig = await OperatorRig.make(api)
  namespace = await rig.namespace()
  writer = await Writer.open(etcd.endpoint, '/many/')
  await each(names, (name) => putAll(name))
  await createConnection(namespace)
}, 900_000)
afterAll(async () => {
  writer?.[Symbol.dispose]()
  await rig?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
  await etcd?.[Symbol.asyncDispose]()
})

function valuesOf(name: string): Record<string, string> {
  return Object.fromEntries(Array.from({ length: KEYS }, (_, key) => [`key${key}`, `${key} of ${name}`]))
}

async function putAll(name: string): Promise<void> {
  const values = Object.entries(expected.get(name) ?? {})
  await writer.txn(Object.fromEntries(values.map(([key, value]) => [`${name}/${key}`, value])))
}

async function each<Item>(items: readonly Item[], work: (item: Item) => Promise<unknown>): Promise<void> {
  const queue = [...items]
  const take = async () => {
    for (let item = queue.pop(); item !== undefined; item = queue.pop()) await work(item)
  }
  await Promise.all(Array.from({ length: CONCURRENCY }, take))
}

async function create(resource: KubeResource, objects: readonly KubeObject[], into = namespace): Promise<void> {
  const context = { signal: never, fieldManager: 'test' }
  await each(objects, (object) =>
    rig.admin.create(
      { resource, namespace: into, name: object.metadata.name },
      { apiVersion, kind: resource.kind, ...object },
      context,
    ),
  )
}

async function createConnection(into: string): Promise<void> {
  await create(ETCD_CONNECTIONS, [{ metadata: { name: 'main' }, spec: { endpoints: [etcd.endpoint] } }], into)
}

async function all(resource: KubeResource, within = namespace): Promise<readonly KubeObject[]> {
  const found: KubeObject[] = []
  for await (const { items } of rig.admin.list({ resource, namespace: within }, never)) found.push(...items)
  return found
}

function mirrorOf(name: string, prefix = `/many/${name}/`): KubeObject {
  return { metadata: { name }, spec: { connectionRef: { name: 'main' }, prefix, target: { configMap: { name } } } }
}

async function untilEqual(): Promise<void> {
  await eventually(async () => {
    const found = new Map((await all(CONFIG_MAPS)).map(({ metadata, data }) => [metadata.name, data]))
    for (const [name, data] of expected) expect(found.get(name)).toEqual(data)
  }, PATIENT)
}

test(
  'many mirrors in one operator are all ready, each ConfigMap is right, and changes arrive',
  async () => {
    operator = await rig.operator(['--leader-election', 'false'])
    await create(
      ETCD_MIRRORS,
      names.map((name) => mirrorOf(name)),
    )
    await eventually(async () => {
      const ready = (await all(ETCD_MIRRORS)).filter((mirror) => conditionsOf(mirror).Ready === 'True/Published')
      expect(ready).toHaveLength(MIRRORS)
    }, PATIENT)
    await untilEqual()
    await change('m1', 'one')
    await untilEqual()
    await each(names, (name) => change(name, `all of ${name}`))
    await untilEqual()
  },
  PATIENT.timeoutMs,
)

test(
  'resources of nonsense in any number: each gets its condition, changes of the others arrive, memory is bounded',
  async () => {
    const hostile = await rig.namespace()
    await createConnection(hostile)
    const kinds: readonly ((name: string) => object)[] = [
      () => ({ connectionRef: { name: 'none' } }),
      () => ({ connectionRef: { kind: 'ClusterEtcdConnection', name: 'none' } }),
      () => ({ verifyEvery: '1ms' }),
      (name) => ({ target: { configMap: { name, labels: { team: 'no label' } } } }),
      () => ({ target: { objects: { template: 'kind: Pod' } } }),
      () => ({ target: { objects: { template: '{{ none' } } }),
      () => ({
        keys: { include: ['a'.repeat(1000), 'b'.repeat(1000), 'c'.repeat(1000), 'd'.repeat(1000), 'e'.repeat(97)] },
      }),
    ]
    const nonsense = Array.from({ length: NONSENSE }, (_, index) => {
      const mirror = mirrorOf(`nonsense-${index}`)
      return { ...mirror, spec: { ...(mirror.spec as object), ...kinds[index % kinds.length]?.(mirror.metadata.name) } }
    })
    const before = await residentBytes()
    const created = create(ETCD_MIRRORS, nonsense, hostile)
    await change('m2', 'meanwhile')
    await untilEqual()
    await created
    await change('m3', 'while they are told')
    await untilEqual()
    await eventually(async () => {
      const told = (await all(ETCD_MIRRORS, hostile)).map((mirror) => conditionsOf(mirror).Stalled ?? 'nothing')
      expect(told.filter((stalled) => stalled.startsWith('True/'))).toHaveLength(NONSENSE)
      expect(new Set(told)).toEqual(new Set(['True/ConnectionNotFound', 'True/InvalidSpec', 'True/KindNotAllowed']))
    }, PATIENT)
    await change('m4', 'afterwards')
    await untilEqual()
    // Besides some garbage that is not collected yet, 10 KiB each.
    expect((await residentBytes()) - before).toBeLessThan(100 * MiB + NONSENSE * 10 * 1024)
  },
  PATIENT.timeoutMs,
)

async function change(name: string, value: string): Promise<void> {
  expected.set(name, { ...expected.get(name), key0: value })
  await writer.put(`${name}/key0`, value)
}

async function residentBytes(): Promise<number> {
  return (await operator.metric('process_resident_memory_bytes')) ?? Number.NaN
}
