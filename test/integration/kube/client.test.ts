import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { inClusterCredentials, isInCluster } from '../../../src/kube/in-cluster.ts'
import type { ApplyContext, KubeClient, ObjectRef } from '../../../src/kube/kube-client.ts'
import { KubeClient as Client } from '../../../src/kube/kube-client.ts'
import { KubeError } from '../../../src/kube/kube-error.ts'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import { CONFIG_MAPS, LEASES } from '../../../src/kube/kube-resource.ts'
import { Lease } from '../../../src/kube/lease.ts'
import { ListWatch } from '../../../src/kube/list-watch.ts'
import type { Position } from '../../../src/replication/position.ts'
import type { DataObjectTarget } from '../../../src/targets/objects/data-object.ts'
import { DataObjectSink } from '../../../src/targets/objects/data-object-sink.ts'
import { storedStateOf } from '../../../src/targets/objects/stored-state.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { noMetrics } from '../../../src/util/metrics.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { startKubeProxy } from '../../support/kube-proxy.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { eventually } from '../../support/wait.ts'

const { signal } = new AbortController()
const fieldManager = 'etcd-mirror/app'
const named = (name: string): ObjectRef => ({ resource: CONFIG_MAPS, namespace: 'default', name })
const configMap = (name: string, data: Readonly<Record<string, string>>): KubeObject => ({ metadata: { name }, data })

async function failure(promise: Promise<unknown>): Promise<KubeError> {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  if (error instanceof KubeError) return error
  throw new Error(`Wanted a KubeError, got ${String(error)}`)
}

describe.each(['1.34', '1.37'] as const)('KubeClient and Kubernetes %s', (minor) => {
  let api: KubeApi
  let client: KubeClient

  beforeAll(async () => {
    api = await startKubeApi({ minor, users: ['nobody'] })
    client = await api.client()
  })
  afterAll(async () => {
    await client?.close()
    await api?.[Symbol.asyncDispose]()
  })

  test('applies what is absent, what it has read, and nothing else', async () => {
    const ref = named('preconditions')
    const apply = (data: Readonly<Record<string, string>>, expected: KubeObject | 'absent') =>
      client.apply(ref, configMap(ref.name, data), { signal, fieldManager, expected })
    const first = await apply({ a: '1', b: '1' }, 'absent')
    expect(await failure(apply({ a: '2' }, 'absent'))).toMatchObject({ code: 'KubeConflict', heldFields: [] })
    const second = await apply({ a: '2' }, first)
    expect(second.data).toEqual({ a: '2' })
    expect(await failure(apply({ a: '3' }, first))).toMatchObject({ code: 'KubeConflict', heldFields: [] })
    expect((await apply({ a: '2' }, second)).metadata.resourceVersion).toBe(second.metadata.resourceVersion)
    expect(await failure(client.delete(ref, first, signal))).toMatchObject({ code: 'KubeConflict' })
    await client.delete(ref, second, signal)
    await client.delete(ref, second, signal)
    expect(await failure(apply({ a: '3' }, second))).toMatchObject({ code: 'KubeConflict', heldFields: [] })
    expect(await client.get(ref, signal)).toBeUndefined()
  })

  test('says who holds a field, and takes it over only when told to', async () => {
    const ref = named('held')
    await client.apply(ref, configMap(ref.name, { a: '1' }), { signal, fieldManager, expected: 'absent' })
    await api.kubectl(['patch', 'configmap', ref.name, '-p', '{"data":{"a":"edited"}}'])
    const expected = (await client.get(ref, signal)) ?? 'absent'
    const context: ApplyContext = { signal, fieldManager, expected }
    expect((await failure(client.apply(ref, configMap(ref.name, { a: '2' }), context))).heldFields).toEqual([
      { reason: 'FieldManagerConflict', field: '.data.a', manager: 'kubectl-patch' },
    ])
    const forced = await client.apply(ref, configMap(ref.name, { a: '2' }), { ...context, force: true })
    expect(forced.data).toEqual({ a: '2' })
  })

  test('tells refusals apart and repeats no value', async () => {
    const nobody = await api.client({ user: 'nobody' })
    const value = 'a-secret-value'
    const denied = await failure(nobody.get(named('x'), signal))
    expect(denied).toMatchObject({ code: 'KubeDenied', status: 403, retryable: false })
    expect(denied.hint).toContain('Grant')
    await nobody.close()
    const context = { signal, fieldManager, expected: 'absent' } as const
    const large = await failure(client.apply(named('large'), configMap('large', { a: value.repeat(80_000) }), context))
    const invalid = await failure(client.apply(named('bad'), configMap('bad', { 'a/b': value }), context))
    const labels = { metadata: { name: 'bad', labels: { app: `${value} with spaces` } } }
    const badLabel = await failure(client.apply(named('bad'), labels, context))
    const nowhere = await failure(client.apply({ ...named('x'), namespace: 'nowhere' }, configMap('x', {}), context))
    expect([large.code, invalid.code, badLabel.code, nowhere.code]).toEqual([
      'KubeTooLarge',
      'KubeInvalid',
      'KubeInvalid',
      'KubeNotFound',
    ])
    for (const error of [large, invalid, badLabel]) expect(error.message).not.toContain(value)
    expect(badLabel.message).toContain('metadata.labels')
  })

  test('lists page by page', async () => {
    const labels = { test: 'pages' }
    const names = Array.from({ length: 1100 }, (_, index) => `page-${String(index).padStart(4, '0')}`)
    await Promise.all(
      names.map((name) =>
        client.apply(named(name), { metadata: { name, labels } }, { signal, fieldManager, expected: 'absent' }),
      ),
    )
    const query = { resource: CONFIG_MAPS, namespace: 'default', labelSelector: 'test=pages' }
    const pages: string[][] = []
    for await (const { items } of client.list(query, signal)) pages.push(items.map(({ metadata }) => metadata.name))
    expect(pages.length).toBe(3)
    expect(pages.flat()).toEqual(names)
  })
})

describe('a kube-apiserver that comes and goes', () => {
  let api: KubeApi
  let client: KubeClient

  beforeAll(async () => {
    api = await startKubeApi()
    client = await api.client()
  })
  afterAll(async () => {
    await client?.close()
    await api?.[Symbol.asyncDispose]()
  })

  test('ListWatch misses nothing over restarts of the server and lost history', async () => {
    const seen = new Map<string, unknown>()
    const stop = new AbortController()
    const ended = new ListWatch({
      client,
      query: { resource: CONFIG_MAPS, namespace: 'default' },
      clock: systemClock,
      onList: (objects) => {
        seen.clear()
        for (const { metadata, data } of objects) seen.set(metadata.name, data)
      },
      onChange: ({ metadata, data }) => seen.set(metadata.name, data),
      onDelete: ({ metadata }) => seen.delete(metadata.name),
    }).run(stop.signal)
    const write = async (name: string, value: string) => {
      const expected = (await client.get(named(name), signal)) ?? 'absent'
      return await client.apply(named(name), configMap(name, { value }), { signal, fieldManager, expected })
    }
    const first = await write('a', '1')
    await eventually(() => expect(seen.get('a')).toEqual({ value: '1' }))
    await api.kill()
    await api.restart()
    await write('b', '1')
    await client.delete(named('a'), first, signal)
    await eventually(() => expect([seen.has('a'), seen.get('b')]).toEqual([false, { value: '1' }]), {
      timeoutMs: 60_000,
    })
    // Its own etcd loses the history that the watch would go on from.
    await api.kill()
    await write('c', '1').catch(() => undefined)
    for (let index = 0; index < 50; index++) await api.etcd.etcdctl(['put', '/other', String(index)])
    const { header } = JSON.parse(await api.etcd.etcdctl(['get', '/other', '-w', 'json']))
    await api.etcd.etcdctl(['compact', String(header.revision)])
    await api.restart()
    await write('d', '1')
    await eventually(() => expect(seen.get('d')).toEqual({ value: '1' }), { timeoutMs: 60_000 })
    stop.abort()
    await ended
  })

  test('the service account of a pod is read again at every request', async () => {
    await using directory = await makeTempDir()
    const put = (name: string, content: string) => writeFile(join(directory.path, name), content)
    const { cert } = await api.identity()
    await Promise.all([put('ca.crt', cert), put('namespace', 'kube-system'), put('token', 'wrong')])
    const env = { KUBERNETES_SERVICE_HOST: '127.0.0.1', KUBERNETES_SERVICE_PORT: String(api.port) }
    expect(isInCluster(env, directory.path)).toBe(true)
    const credentials = await inClusterCredentials(env, directory.path)
    const pod = new Client({ credentials, userAgent: 'test' })
    expect(pod.namespace).toBe('kube-system')
    expect(await failure(pod.get(named('b'), signal))).toMatchObject({ code: 'KubeDenied', status: 401 })
    await put('token', 'admin-token\n')
    expect((await pod.get(named('b'), signal))?.data).toEqual({ value: '1' })
    await pod.close()
  })

  test('a Lease has one holder, and goes over when it is let go', async () => {
    const offsets = { a: 0, b: 0 }
    const lease = (identity: 'a' | 'b') =>
      new Lease({
        client,
        namespace: 'default',
        name: 'one-holder',
        identity,
        clock: { ...systemClock, monotonic: () => performance.now() + offsets[identity] },
      })
    const [a, b] = [lease('a'), lease('b')]
    expect(await a.acquire(signal)).toBeUndefined()
    expect(await b.acquire(signal)).toBe('a')
    expect([a.isHeld, b.isHeld]).toEqual([true, false])
    await a.release()
    expect(await b.acquire(signal)).toBeUndefined()
    expect(await a.acquire(signal)).toBe('b')
    await b.release()
    expect(await a.acquire(signal)).toBeUndefined()
    // a's clock runs ahead, as after a pause of the process.
    offsets.a += 60_000
    expect(a.isHeld).toBe(false)
    await a.release()
  })

  test('a Lease that could not be renewed is tried again while it is held yet', async () => {
    await using proxy = await startKubeProxy(api)
    const far = await api.client({ server: proxy.server })
    const clock = new ManualClock()
    const lease = new Lease({ client: far, namespace: 'default', name: 'renewed', identity: 'a', clock })
    expect(await lease.acquire(signal)).toBeUndefined()
    const before = proxy.writes.length
    const untilRenewals = (count: number) =>
      eventually(() => expect([proxy.writes.length - before, clock.sleepers]).toEqual([count, 1]))
    proxy.refuses = () => true
    clock.advance(5000)
    await untilRenewals(1)
    clock.advance(1000)
    await untilRenewals(2)
    expect(lease.isHeld).toBe(true)
    proxy.refuses = () => false
    await lease.release()
    await far.close()
  })

  test('a target that is closed leaves its position behind, but not without the Lease', async () => {
    const options = { name: 'closed', labels: {}, annotations: {}, creationPolicy: 'Owner', deletionPolicy: 'Retain' }
    const target = { kind: 'ConfigMap', options: { ...options, render: [{ tree: {} }] } } as DataObjectTarget
    const at = (revision: number): Position => ({
      epoch: 0,
      clusterId: 1n,
      revision,
      raftTerm: 1,
      keyCount: 0,
      anchor: undefined,
    })
    const closedAt = async (revision: number, isHeld: boolean) => {
      const hold = { isHeld: true }
      const sink = new DataObjectSink({
        target,
        hold,
        connect: async () => client,
        mirrorName: 'closed',
        prefix: Buffer.from('/a/'),
        configHash: 'any',
        clock: systemClock,
        logger: silentLogger,
        metrics: noMetrics,
      })
      await sink.open({ signal })
      const finish = async () => ({ changes: [], position: at(revision) })
      await sink.restore({ pages: (async function* () {})(), finish }, { signal })
      await sink.advance(at(revision + 1), { signal })
      hold.isHeld = isHeld
      await sink.close()
      const found = await client.get(named('closed'), signal)
      return found && storedStateOf(found)?.position.revision
    }
    // One that is not through in three seconds is left undone.
    await eventually(async () => expect(await closedAt(5, true)).toBe(6))
    expect(await closedAt(7, false)).toBe(6)
  })

  test('a Lease whose holder is gone is taken over when it was seen unchanged for its duration', async () => {
    const name = 'of-a-ghost'
    const spec = { holderIdentity: 'ghost', leaseDurationSeconds: 15, renewTime: '2099-01-01T00:00:00.000000Z' }
    const ref = { resource: LEASES, namespace: 'default', name }
    await client.create(ref, { metadata: { name }, spec }, { signal, fieldManager })
    let offset = 0
    const clock = { ...systemClock, monotonic: () => performance.now() + offset }
    const lease = new Lease({ client, namespace: 'default', name, identity: 'heir', clock })
    expect(await lease.acquire(signal)).toBe('ghost')
    offset += 10_000
    expect(await lease.acquire(signal)).toBe('ghost')
    offset += 10_000
    expect(await lease.acquire(signal)).toBeUndefined()
    expect(lease.isHeld).toBe(true)
    await lease.release()
  })
})
