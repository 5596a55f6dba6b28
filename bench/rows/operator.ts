import { setTimeout as sleep } from 'node:timers/promises'
import { ETCD_MIRRORS } from '../../src/operator/operator-resources.ts'
import { freePort } from '../../test/support/free-port.ts'
import { type KubeApi, startKubeApi } from '../../test/support/kube-api.ts'
import { conditionsOf, OPERATOR_NAMESPACE, OPERATOR_USER, OperatorRig } from '../../test/support/operator-rig.ts'
import { BenchProcess } from '../bench-process.ts'
import type { BenchContext, LoadedEtcd, Scenario } from '../context.ts'
import { LoadDriver } from '../load-driver.ts'
import { ConfigMapObserver } from '../observer.ts'
import { cpuSecondsOf, memoryOf } from '../proc.ts'
import { makeRow, type Row } from '../row.ts'
import { summarize } from '../statistics.ts'

const KEYS = 20
const KIB = 1024
const MAX_KIB_A_MIRROR = 150
const MAX_SCRAPE_MS = 50
const MAX_WRITES_A_MIRROR = 1
const BUSY_PUTS_PER_SECOND = 200
const TAKEOVER_MIRRORS = 20
/** The Lease has 15 s, and a standby asks every 1 to 3 s. */
const MAX_TAKEOVER_MS = { kill: 20_000, stop: 5000 }
const LEADS = { name: 'etcd-mirror-operator' }
const READY_MS = 900_000

/** Many mirrors in one operator: time to ready, memory, scrapes, what idle ones cost, and how soon another one leads. */
export const operator: Scenario = {
  name: 'operator',
  async run(context) {
    await using api = await startKubeApi({ users: [OPERATOR_USER] })
    await using rig = await OperatorRig.make(api)
    await using etcd = await context.etcdWith({ prefix: '/bench/busy/', keys: 100, valueBytes: 256 })
    return [...(await many(context, etcd, api, rig)), ...(await takeovers(context, etcd, api, rig))]
  },
}

async function many(context: BenchContext, etcd: LoadedEtcd, api: KubeApi, rig: OperatorRig): Promise<readonly Row[]> {
  const count = context.size(1000, 40)
  const namespace = await rig.namespace()
  await using running = await startOperator(context, api, ['--leader-election', 'false'])
  await running.ready()
  await sleep(context.size(30_000, 1000))
  const rss = [rssKiB(running)]
  const seconds: number[] = []
  for (const [from, to] of [
    [0, count / 2],
    [count / 2, count],
  ] as const) {
    seconds.push(await addMirrors(etcd, rig, { namespace, from, to }))
    // V8 gives memory back once it has had little to do for two minutes.
    await sleep(context.size(180_000, 1000))
    rss.push(rssKiB(running))
  }
  const [none = 0, half = 0, all = 0] = rss
  const scrapes: number[] = []
  for (let scrape = 0; scrape < 20; scrape += 1) {
    scrapes.push(await running.probe('/metrics'))
    await sleep(context.size(1000, 20))
  }
  const idle = await idleCost(context, etcd, running, count)
  return [
    makeRow({
      name: `operator: ${count} mirrors of ${KEYS} keys, created → all ready`,
      unit: 's',
      samples: [seconds.reduce((sum, each) => sum + each)],
      note: `in two halves: ${seconds.map((each) => each.toFixed(1)).join(' and ')} s`,
    }),
    makeRow({
      name: `operator: ${count} mirrors, RSS a mirror`,
      unit: 'KiB',
      samples: [(all - none) / count],
      target: { value: MAX_KIB_A_MIRROR },
      note: `${(none / KIB).toFixed(0)} MiB without mirrors, ${(all / KIB).toFixed(0)} MiB with all`,
    }),
    makeRow({
      name: 'operator: RSS of a mirror of the second half over one of the first',
      unit: 'KiB',
      samples: [(all - half) / (count / 2)],
      peer: { name: 'the first half', samples: [(half - none) / (count / 2)] },
    }),
    makeRow({
      name: `operator: ${count} mirrors, GET /metrics p50`,
      unit: 'ms',
      samples: scrapes,
      target: { value: MAX_SCRAPE_MS },
      note: `max ${summarize(scrapes).max.toFixed(1)} ms, n ${scrapes.length}`,
      listSamples: false,
    }),
    ...idle,
  ]
}

/** Resolves with the seconds until all are ready. */
async function addMirrors(
  { client, endpoint }: LoadedEtcd,
  rig: OperatorRig,
  { namespace, from, to }: { readonly namespace: string; readonly from: number; readonly to: number },
): Promise<number> {
  const numbers = Array.from({ length: to - from }, (_, index) => from + index)
  for (const number of numbers) {
    const success = Array.from({ length: KEYS }, (_, key) => ({
      request_put: {
        key: Buffer.from(`${prefixOf(namespace, number)}key-${key}`),
        value: Buffer.from(`value ${key} of ${number}`.padEnd(64, '.')),
      },
    }))
    await client.kv.txn({ compare: [], success, failure: [] })
  }
  const started = performance.now()
  const apiVersion = 'etcdmirror.dev/v1alpha1'
  await rig.apply([
    { apiVersion, kind: 'EtcdConnection', metadata: { name: 'main', namespace }, spec: { endpoints: [endpoint] } },
    ...numbers.map((number) => ({
      apiVersion,
      kind: 'EtcdMirror',
      metadata: { name: `m${number}`, namespace },
      spec: {
        connectionRef: { name: 'main' },
        prefix: prefixOf(namespace, number),
        target: { configMap: { name: `m${number}` } },
      },
    })),
  ])
  for (const deadline = started + READY_MS; (await countReady(rig, namespace)) < to; await sleep(200)) {
    if (performance.now() > deadline) throw new Error('the mirrors do not become ready')
  }
  return (performance.now() - started) / 1000
}

function prefixOf(namespace: string, number: number): string {
  return `/bench/${namespace}/${number}/`
}

async function countReady(rig: OperatorRig, namespace: string): Promise<number> {
  let ready = 0
  for await (const { items } of rig.admin.list({ resource: ETCD_MIRRORS, namespace }, AbortSignal.timeout(60_000))) {
    ready += items.filter((item) => conditionsOf(item).Ready === 'True/Published').length
  }
  return ready
}

/** What mirrors cost whose prefixes do not change, while the same etcd is busy elsewhere. */
async function idleCost(
  context: BenchContext,
  { endpoint }: LoadedEtcd,
  running: BenchProcess,
  mirrors: number,
): Promise<readonly Row[]> {
  const data = { prefix: '/bench/busy/', keys: 100, valueBytes: 256 }
  const observer = { kind: 'etcdctl', program: context.etcdctl, endpoint, prefix: data.prefix } as const
  await using load = await LoadDriver.start({ endpoint, data, observer })
  const seconds = context.size(300, 5)
  const before = { writes: await writesOf(running), cpu: cpuSecondsOf(running.pid) }
  await load.play({ kind: 'rate', perSecond: BUSY_PUTS_PER_SECOND, count: BUSY_PUTS_PER_SECOND * seconds })
  const name = `operator: ${mirrors} idle mirrors, etcd busy with other keys`
  return [
    makeRow({
      name: `${name}, API writes a mirror in ${seconds} s`,
      unit: 'writes',
      samples: [((await writesOf(running)) - before.writes) / mirrors],
      target: { value: MAX_WRITES_A_MIRROR },
    }),
    makeRow({ name: `${name}, CPU`, unit: 'cores', samples: [(cpuSecondsOf(running.pid) - before.cpu) / seconds] }),
  ]
}

async function writesOf(running: BenchProcess): Promise<number> {
  const methods = ['PATCH', 'POST', 'PUT', 'DELETE']
  const counts = methods.map((method) => running.metric('etcd_mirror_kube_requests_total', { method }))
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

async function takeovers(
  context: BenchContext,
  etcd: LoadedEtcd,
  api: KubeApi,
  rig: OperatorRig,
): Promise<readonly Row[]> {
  const namespace = await rig.namespace()
  const start = () => startOperator(context, api, ['--namespaces', namespace])
  // What fails in between is killed when the harness ends.
  let leader = await start()
  await addMirrors(etcd, rig, { namespace, from: 0, to: TAKEOVER_MIRRORS })
  const rows: Row[] = []
  for (const end of ['kill', 'stop'] as const) {
    const samples: number[] = []
    for (let turn = 0; turn < context.size(3, 1); turn += 1) {
      const standby = await start()
      samples.push(await takeover(etcd, api, { leader, standby, namespace, end }))
      leader = standby
    }
    const what = end === 'kill' ? 'leader killed' : 'leader told to stop'
    const name = `operator: ${what} → a change is visible through the next one`
    rows.push(makeRow({ name, unit: 'ms', samples, target: { value: MAX_TAKEOVER_MS[end] } }))
  }
  await leader.stop()
  return rows
}

interface Takeover {
  readonly leader: BenchProcess
  readonly standby: BenchProcess
  readonly namespace: string
  readonly end: 'kill' | 'stop'
}

/** Milliseconds from the end of the leader until what was put right after it is visible. */
async function takeover(
  { client }: LoadedEtcd,
  api: KubeApi,
  { leader, standby, namespace, end }: Takeover,
): Promise<number> {
  await leader.until(async () => {
    if ((await leader.metric('leader_election_master_status', LEADS)) !== 1) throw new Error('it does not lead yet')
  })
  await standby.ready()
  // It has to see the Lease renewed once, as one that has stood by for long has.
  await sleep(6000)
  await using observer = new ConfigMapObserver({ kubeconfig: await api.kubeconfig(), namespace, name: 'm0' })
  const started = performance.now()
  await (end === 'kill' ? leader[Symbol.asyncDispose]() : leader.stop())
  const { header } = await client.put(`${prefixOf(namespace, 0)}key-0`).value(`changed at ${started}`)
  return (await observer.seen({ revision: Number(header.revision) })) - started
}

async function startOperator({ command }: BenchContext, api: KubeApi, args: readonly string[]): Promise<BenchProcess> {
  const kubeconfig = await api.kubeconfig({ user: OPERATOR_USER, namespace: OPERATOR_NAMESPACE })
  const env = { KUBECONFIG: kubeconfig }
  return new BenchProcess({ command, args: ['operator', ...args], port: await freePort(), env })
}

function rssKiB({ pid }: BenchProcess): number {
  return memoryOf(pid).totalBytes / KIB
}
