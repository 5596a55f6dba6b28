import { setTimeout as sleep } from 'node:timers/promises'
import { CoreV1Api, KubeConfig, PatchStrategy, setHeaderOptions } from '@kubernetes/client-node'
import { startKubeApi } from '../../test/support/kube-api.ts'
import { OperatorRig } from '../../test/support/operator-rig.ts'
import type { BenchMirror } from '../bench-mirror.ts'
import type { BenchContext, LoadedEtcd, Scenario } from '../context.ts'
import { type DataSet, newValue } from '../data-set.ts'
import { type ApplyCost, runApplies } from '../kube-peer.ts'
import { LoadDriver } from '../load-driver.ts'
import { ConfigMapObserver } from '../observer.ts'
import { cpuSecondsOf } from '../proc.ts'
import { makeRow, type Row } from '../row.ts'
import { percentile, summarize } from '../statistics.ts'

const SINGLE = { kind: 'rate', perSecond: 1, count: 1 } as const
const QUIET_MS = 300
const CONFIG_MAP_KEYS = 20
const CHANGES_PER_SECOND = 200
const FIRST_SYNC_MS = 900_000
/** After a change the mirror writes its position so soon at the latest. */
const INDEX_MS = 6000
/** Eight times as many applies for the same processor time. */
const MAX_APPLY_RATIO = 1 / 8
const MAX_REQUESTS = 1.1

interface Place {
  readonly kubeconfig: string
  readonly namespace: string
}

/** Kubernetes targets on a real API server, beside `@kubernetes/client-node`: applies, latency, many EtcdKeys. */
export const objects: Scenario = {
  name: 'objects',
  async run(context) {
    const configMap: DataSet = { prefix: '/bench/config/', keys: CONFIG_MAP_KEYS, valueBytes: 256 }
    const keys: DataSet = { prefix: '/bench/keys/', keys: context.size(20_000, 500), valueBytes: 256 }
    await using api = await startKubeApi()
    await using rig = await OperatorRig.make(api)
    const namespace = await rig.namespace()
    const place = { kubeconfig: await api.kubeconfig({ namespace }), namespace }
    await using etcd = await context.etcdWith(configMap, keys)
    const { rows, peerMs } = await applies(context, place)
    return [
      ...rows,
      ...(await latency(context, etcd, configMap, place)),
      ...(await manyKeys(context, etcd, keys, place, peerMs)),
    ]
  },
}

/** With the milliseconds that the peer takes for one apply, many at once. */
async function applies(
  context: BenchContext,
  place: Place,
): Promise<{ readonly rows: readonly Row[]; readonly peerMs: readonly number[] }> {
  const costs = { ours: [] as ApplyCost[], 'client-node': [] as ApplyCost[] }
  const count = context.size(500, 100)
  for (let run = 0; run < context.size(5, 2); run += 1) {
    for (const client of run % 2 === 0 ? (['ours', 'client-node'] as const) : (['client-node', 'ours'] as const)) {
      costs[client].push(await runApplies(client, { ...place, count }))
    }
  }
  const row = (name: string, field: keyof ApplyCost, ratio?: number) =>
    makeRow({
      name,
      unit: 'ms',
      samples: costs.ours.map((cost) => cost[field]),
      peer: { name: '@kubernetes/client-node', samples: costs['client-node'].map((cost) => cost[field]) },
      target: ratio === undefined ? undefined : { ratio },
    })
  return {
    rows: [
      row('server-side apply of a ConfigMap, 16 at once, processor time of the client', 'cpuMs', MAX_APPLY_RATIO),
      row('server-side apply of a ConfigMap, 16 at once, time', 'ms'),
    ],
    peerMs: costs['client-node'].map(({ ms }) => ms),
  }
}

async function latency(context: BenchContext, etcd: LoadedEtcd, data: DataSet, place: Place): Promise<readonly Row[]> {
  const { kubeconfig, namespace } = place
  await using mirror = await startObjectMirror(context, etcd, data, { configMap: { name: 'app' } }, place)
  await mirror.ready()
  const observer = { kind: 'configMap', kubeconfig, namespace, name: 'app' } as const
  await using load = await LoadDriver.start({ endpoint: etcd.endpoint, data, observer })
  await using bare = bareApply(place)
  const samples: number[] = []
  const peer: number[] = []
  for (let change = 0; change < context.size(60, 4); change += 1) {
    samples.push(...(await load.play(SINGLE)).latenciesMs)
    await sleep(QUIET_MS)
    peer.push(await bare.apply())
    await sleep(QUIET_MS)
  }
  const steady = await load.play({ kind: 'rate', perSecond: 20, count: context.size(400, 20) })
  const row = (name: string, values: readonly number[], peerName: string, peerValues: readonly number[]) => {
    const { p99, max, n } = summarize(values)
    return makeRow({
      name,
      unit: 'ms',
      samples: values,
      peer: { name: peerName, samples: peerValues },
      note: `p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms, n ${n}; p99 of the peer ${percentile(peerValues, 0.99).toFixed(1)} ms`,
      listSamples: false,
    })
  }
  // So that the next mirror need not wait for its Lease.
  await mirror.stop()
  const name = `ConfigMap of ${data.keys} keys`
  const once = `one apply by @kubernetes/client-node → watch`
  return [
    row(`${name}, one put → visible, p50`, samples, once, peer),
    row(`${name}, 20 puts/s → visible, p50`, steady.latenciesMs, once, peer),
  ]
}

/** The least that a write to a ConfigMap takes: one apply of the same size until a watch shows it. */
function bareApply({ kubeconfig, namespace }: Place): AsyncDisposable & { apply(): Promise<number> } {
  const config = new KubeConfig()
  config.loadFromFile(kubeconfig)
  const api = config.makeApiClient(CoreV1Api)
  const options = setHeaderOptions('Content-Type', PatchStrategy.ServerSideApply)
  const name = 'bare'
  const observer = new ConfigMapObserver({ kubeconfig, namespace, name })
  let revision = 0
  return {
    async apply() {
      revision += 1
      const data = Object.fromEntries(
        Array.from({ length: CONFIG_MAP_KEYS }, (_, key) => [`key-${key}`, newValue(256)]),
      )
      const metadata = { name, annotations: { 'etcdmirror.dev/revision': String(revision) } }
      const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data }
      const started = performance.now()
      await api.patchNamespacedConfigMap({ name, namespace, body, fieldManager: 'bench', force: true }, options)
      return (await observer.seen({ revision })) - started
    },
    [Symbol.asyncDispose]: () => observer[Symbol.asyncDispose](),
  }
}

async function manyKeys(
  context: BenchContext,
  etcd: LoadedEtcd,
  data: DataSet,
  place: Place,
  peerMs: readonly number[],
): Promise<readonly Row[]> {
  await using mirror = await startObjectMirror(context, etcd, data, { etcdKeys: {} }, place)
  await mirror.until(() => mirror.probe('/readyz'), FIRST_SYNC_MS)
  const seconds = (performance.now() - mirror.startedAt) / 1000
  const first = await requestsOf(mirror)
  const changed = await changeKeys(context, etcd, data, mirror)
  return [
    makeRow({
      name: `${data.keys} EtcdKeys, first sync`,
      unit: 's',
      samples: [seconds],
      peer: {
        name: 'as many applies by @kubernetes/client-node, 16 at once',
        samples: peerMs.map((ms) => (ms * data.keys) / 1000),
      },
      note: 'the peer from the applies of ConfigMaps above',
    }),
    requestsRow(`${data.keys} EtcdKeys, first sync`, first / data.keys),
    ...changed,
    makeRow({
      name: `${data.keys} EtcdKeys, resync of what is equal, writing requests`,
      unit: 'requests',
      samples: [await requestsOfResync(mirror)],
      target: { value: 0 },
    }),
  ]
}

async function changeKeys(
  context: BenchContext,
  etcd: LoadedEtcd,
  data: DataSet,
  mirror: BenchMirror,
): Promise<readonly Row[]> {
  const { endpoint } = etcd
  const observer = { kind: 'etcdctl', program: context.etcdctl, endpoint, prefix: data.prefix } as const
  await using load = await LoadDriver.start({ endpoint, data, observer })
  await mirror.applied(await headOf(etcd))
  const before = { requests: await requestsOf(mirror), cpu: cpuSecondsOf(mirror.pid), at: performance.now() }
  const count = CHANGES_PER_SECOND * context.size(30, 2)
  await load.play({ kind: 'rate', perSecond: CHANGES_PER_SECOND, count })
  const writtenAt = performance.now()
  await mirror.applied(await headOf(etcd))
  const endedAt = performance.now()
  const name = `${data.keys} EtcdKeys, ${CHANGES_PER_SECOND} changes/s`
  return [
    makeRow({ name: `${name}: last ack → all applied`, unit: 'ms', samples: [endedAt - writtenAt] }),
    makeRow({
      name: `${name}, CPU of the mirror`,
      unit: 'cores',
      samples: [(cpuSecondsOf(mirror.pid) - before.cpu) / ((endedAt - before.at) / 1000)],
    }),
    requestsRow(name, ((await requestsOf(mirror)) - before.requests) / count),
  ]
}

async function headOf({ client }: LoadedEtcd): Promise<number> {
  return Number((await client.kv.range({ key: Buffer.from('x') })).header.revision)
}

function requestsRow(name: string, requests: number): Row {
  return makeRow({
    name: `${name}, API requests a changed key`,
    unit: 'requests',
    samples: [requests],
    target: { value: MAX_REQUESTS },
  })
}

/** Of any kind; those that renew its Lease are among them. */
function requestsOf(mirror: BenchMirror): Promise<number> {
  return mirror.metric('etcd_mirror_kube_requests_total')
}

/** Writes of objects: a Lease is renewed by PUT, objects are applied by PATCH. */
async function requestsOfResync(mirror: BenchMirror): Promise<number> {
  const writes = async () => {
    const counts = ['PATCH', 'POST', 'DELETE'].map((method) =>
      mirror.metric('etcd_mirror_kube_requests_total', { method }),
    )
    return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
  }
  const resyncs = () => mirror.metric('etcd_mirror_resync_total')
  await sleep(INDEX_MS)
  const before = { writes: await writes(), resyncs: await resyncs() }
  mirror.signal('SIGHUP')
  await mirror.until(async () => {
    if ((await resyncs()) === before.resyncs) throw new Error('there was no resync')
  })
  return (await writes()) - before.writes
}

async function startObjectMirror(
  context: BenchContext,
  etcd: LoadedEtcd,
  data: DataSet,
  target: Readonly<Record<string, unknown>>,
  { kubeconfig }: Place,
): Promise<BenchMirror> {
  return await context.startMirror(etcd, data, context.newPath('tmpfs'), { target, env: { KUBECONFIG: kubeconfig } })
}
