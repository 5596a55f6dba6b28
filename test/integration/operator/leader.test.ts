import { afterAll, beforeAll, expect, test } from 'vitest'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import { CONFIG_MAPS, type KubeResource, LEASES } from '../../../src/kube/kube-resource.ts'
import { ListWatch } from '../../../src/kube/list-watch.ts'
import { ETCD_MIRRORS, LEADER_LEASE } from '../../../src/operator/operator-resources.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { startHoldingWebhook } from '../../support/holding-webhook.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { startKubeProxy } from '../../support/kube-proxy.ts'
import {
  conditionsOf,
  OPERATOR_NAMESPACE,
  OPERATOR_USER,
  OperatorRig,
  type OperatorRun,
} from '../../support/operator-rig.ts'
import { eventually } from '../../support/wait.ts'

let api: KubeApi
let etcd: EtcdServer
let rig: OperatorRig
let namespace: string

beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
  api = await startKubeApi({ users: [OPERATOR_USER] })
  rig = await OperatorRig.make(api)
  namespace = await rig.namespace()
  const apiVersion = 'etcdmirror.dev/v1alpha1'
  const connectionRef = { name: 'main' }
  const target = { configMap: { name: 'app' } }
  await rig.apply([
    connectionIn(namespace),
    {
      apiVersion,
      kind: 'EtcdMirror',
      metadata: { name: 'app', namespace },
      spec: { connectionRef, prefix: '/a/', target, maxStaleness: '10m' },
    },
  ])
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
  await etcd?.[Symbol.asyncDispose]()
})

const connectionIn = (namespace: string) => ({
  apiVersion: 'etcdmirror.dev/v1alpha1',
  kind: 'EtcdConnection',
  metadata: { name: 'main', namespace },
  spec: { endpoints: [etcd.endpoint] },
})
const patient = { timeoutMs: 100_000, intervalMs: 200 }
const untilLeads = (operator: OperatorRun) => eventually(async () => expect(await operator.leads()).toBe(true), patient)
const untilValue = (value: string) =>
  rig.until(CONFIG_MAPS, namespace, 'app', (object) => expect(object?.data).toEqual({ key: value }))

/** Every state of the ConfigMap and of its mirror that a watch shows. */
class Recorder implements AsyncDisposable {
  readonly revisions: number[] = []
  readonly readiness: (string | undefined)[] = []
  readonly #stop = new AbortController()
  readonly #ended: Promise<unknown>

  constructor() {
    this.#ended = Promise.all([
      this.#follow(CONFIG_MAPS, ({ metadata }) =>
        this.revisions.push(Number(metadata.annotations?.['etcdmirror.dev/revision'])),
      ),
      this.#follow(ETCD_MIRRORS, (mirror) => this.readiness.push(conditionsOf(mirror).Ready)),
    ])
  }

  #follow(resource: KubeResource, note: (object: KubeObject) => void): Promise<void> {
    const watch = new ListWatch({
      client: rig.admin,
      query: { resource, namespace, fieldSelector: 'metadata.name=app' },
      clock: systemClock,
      onList: (objects) => objects.forEach(note),
      onChange: note,
      onDelete: note,
    })
    return watch.run(this.#stop.signal)
  }

  expectForward(): void {
    expect(this.revisions).toEqual(this.revisions.toSorted((a, b) => a - b))
  }

  /** Who leads is nothing that a reader has to know. */
  expectReadyThroughout(): void {
    const first = this.readiness.indexOf('True/Published')
    expect(first).toBeGreaterThanOrEqual(0)
    expect(new Set(this.readiness.slice(first))).toEqual(new Set(['True/Published']))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#ended
  }
}

test('a leader whose writes get no answer keeps the Lease, and without it begins no write any more', async () => {
  await using proxy = await startKubeProxy(api)
  const crowded = await rig.namespace()
  const names = Array.from({ length: 20 }, (_, index) => `app-${index}`)
  const mirror = (name: string) => ({
    apiVersion: 'etcdmirror.dev/v1alpha1',
    kind: 'EtcdMirror',
    metadata: { name, namespace: crowded },
    spec: { connectionRef: { name: 'main' }, prefix: '/crowded/', target: { configMap: { name } } },
  })
  await etcd.etcdctl(['put', '/crowded/key', 'first'])
  await rig.apply([connectionIn(crowded), ...names.map(mirror)])
  const untilAllHold = async (value: string) => {
    for (const name of names) {
      await rig.until(CONFIG_MAPS, crowded, name, (object) => expect(object?.data).toEqual({ key: value }))
    }
  }
  const leader = await rig.operator(['--namespaces', crowded], proxy.server)
  await untilLeads(leader)
  await untilAllHold('first')
  const other = await rig.operator(['--namespaces', crowded])

  // As many writes as there may be at once get no answer; the others wait.
  await using webhook = await startHoldingWebhook(api, { namespace: crowded, resources: [CONFIG_MAPS] })
  let puts = 0
  await eventually(async () => {
    puts += 1
    await etcd.etcdctl(['put', '/crowded/key', String(puts)])
    expect(webhook.held).toBe(16)
  }, patient)
  const renewed = async () => (await rig.get(LEASES, OPERATOR_NAMESPACE, LEADER_LEASE))?.metadata.resourceVersion
  await eventually(async () => {
    const before = { givenUp: webhook.givenUp, version: await renewed() }
    await eventually(async () => expect(await renewed()).not.toBe(before.version), patient)
    expect(webhook.givenUp).toBe(before.givenUp)
  }, patient)

  // What is to be said of one more mirror waits, too.
  await rig.apply([mirror('late')])
  const workers = 'controller_runtime_active_workers{controller="etcdmirror"}'
  await eventually(async () => expect(await leader.metric(workers)).toBeGreaterThan(0), patient)
  const isLease = (pathname: string) => pathname.includes('/leases')
  const writes = () => proxy.writes.filter((pathname) => !isLease(pathname))
  proxy.refuses = isLease
  await untilLeads(other)
  const begun = writes().length
  webhook.release()
  await untilAllHold(String(puts))
  await leader.process.waitForLog(({ msg }) => String(msg).startsWith('lost the leadership'))
  expect(writes().slice(begun)).toEqual([])
  for (const each of [leader, other]) expect(await each.process.kill('SIGTERM')).toMatchObject({ code: 0 })
})

test('of two operators one leads; the other takes over when it is killed, stops, or was paused, and nothing goes back', async () => {
  await using recorder = new Recorder()
  await etcd.etcdctl(['put', '/a/key', 'one'])
  const first = await rig.operator()
  await untilLeads(first)
  const second = await rig.operator()
  await untilValue('one')
  expect(await second.leads()).toBe(false)
  await rig.until(ETCD_MIRRORS, namespace, 'app', (mirror) => expect(conditionsOf(mirror).Ready).toBe('True/Published'))

  // Killed: the Lease has to run out.
  await first.process.kill('SIGKILL')
  await etcd.etcdctl(['put', '/a/key', 'two'])
  await untilLeads(second)
  await untilValue('two')

  // Stopped: it lets the Lease go.
  const third = await rig.operator()
  expect(await second.process.kill('SIGTERM')).toMatchObject({ code: 0 })
  await untilLeads(third)
  await etcd.etcdctl(['put', '/a/key', 'three'])
  await untilValue('three')

  // Paused while another leads: when it wakes up it writes nothing over what is newer, and stands by.
  const fourth = await rig.operator()
  third.process.signal('SIGSTOP')
  await etcd.etcdctl(['put', '/a/key', 'four'])
  await untilLeads(fourth)
  await untilValue('four')
  third.process.signal('SIGCONT')
  await third.process.waitForLog(({ msg }) => String(msg).startsWith('lost the leadership'))
  await etcd.etcdctl(['put', '/a/key', 'five'])
  await untilValue('five')
  expect(await third.leads()).toBe(false)
  await untilLeads(fourth)
  await eventually(() => expect(recorder.revisions.length).toBeGreaterThanOrEqual(5))
  recorder.expectForward()
  recorder.expectReadyThroughout()
})
