import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchMirror } from '../bench-mirror.ts'
import type { BenchContext, LoadedEtcd, Scenario } from '../context.ts'
import type { DataSet } from '../data-set.ts'
import { LoadDriver, type LoadReport } from '../load-driver.ts'
import { cpuSecondsOf } from '../proc.ts'
import { makeRow, type Row } from '../row.ts'
import { summarize } from '../statistics.ts'

/** One changed key in the large tree may take at most this many times as long as in the small one. */
const MAX_GROWTH = 2
/** Longer than the readers' grace, so that a tree is free as it is after any quiet time. */
const QUIET_MS = 1300
const PER_SECOND = 100
/** Spans of the two loads, alternating with the peer's. */
const SPANS = 3
const SINGLE = { kind: 'rate', perSecond: 1, count: 1 } as const

interface Side extends AsyncDisposable {
  readonly data: DataSet
  readonly mirror: BenchMirror
  readonly load: LoadDriver
}

/** Put acknowledged → visible, in a small tree and in a large one, each beside what `etcdctl watch` prints. */
export const live: Scenario = {
  name: 'live',
  async run(context) {
    const small: DataSet = { prefix: '/bench/small/', keys: 1000, valueBytes: 256 }
    const large: DataSet = { ...small, prefix: '/bench/large/', keys: context.size(100_000, 5000) }
    await using etcd = await context.etcdWith(small, large)
    await using few = await open(context, etcd, small)
    await using many = await open(context, etcd, large)
    await using peer = await openPeer(context, etcd)
    // The tree for the next publish is made in the background after the first one.
    await sleep(context.size(5000, 1500))
    return [
      ...(await singleChanges(context, [few, many], peer)),
      ...(await atRate(context, few, peer)),
      ...(await atRate(context, many, peer)),
    ]
  },
}

async function open(context: BenchContext, etcd: LoadedEtcd, data: DataSet): Promise<Side> {
  const mirror = await context.startMirror(etcd, data, context.newPath('tmpfs'))
  await mirror.ready()
  const observer = { kind: 'tree', root: mirror.root } as const
  const load = await LoadDriver.start({ endpoint: etcd.endpoint, data, observer })
  return {
    data,
    mirror,
    load,
    async [Symbol.asyncDispose]() {
      await load[Symbol.asyncDispose]()
      await mirror[Symbol.asyncDispose]()
    },
  }
}

/** Below a prefix that nobody mirrors: the mirrors rest while the peer is measured. */
function openPeer({ etcdctl }: BenchContext, { endpoint }: LoadedEtcd): Promise<LoadDriver> {
  const data: DataSet = { prefix: '/bench/peer/', keys: 1000, valueBytes: 256 }
  const observer = { kind: 'etcdctl', program: etcdctl, endpoint, prefix: data.prefix } as const
  return LoadDriver.start({ endpoint, data, observer })
}

async function singleChanges(
  context: BenchContext,
  [few, many]: readonly [Side, Side],
  peer: LoadDriver,
): Promise<Row[]> {
  const latencies = { few: [] as number[], many: [] as number[], peer: [] as number[] }
  for (let change = 0; change < context.size(25, 4); change += 1) {
    latencies.few.push(...(await few.load.play(SINGLE)).latenciesMs)
    await sleep(QUIET_MS / 3)
    latencies.many.push(...(await many.load.play(SINGLE)).latenciesMs)
    await sleep(QUIET_MS / 3)
    latencies.peer.push(...(await peer.play(SINGLE)).latenciesMs)
    await sleep(QUIET_MS / 3)
  }
  const sizes = [few, many].map(({ data }) => data.keys)
  return [
    latencyRow(`single change → visible, ${sizes[0]} keys`, latencies.few, latencies.peer),
    latencyRow(`single change → visible, ${sizes[1]} keys`, latencies.many, latencies.peer),
    makeRow({
      name: `single change → visible, ${sizes[1]} keys over ${sizes[0]}, p50`,
      unit: 'ms',
      samples: latencies.many,
      peer: { name: `the same with ${sizes[0]} keys`, samples: latencies.few },
      target: { ratio: MAX_GROWTH },
      listSamples: false,
    }),
  ]
}

async function atRate(context: BenchContext, { data, mirror, load }: Side, peer: LoadDriver): Promise<Row[]> {
  const count = context.size(400, 100)
  const pattern = { kind: 'rate', perSecond: PER_SECOND, count } as const
  const ours: LoadReport[] = []
  const theirs: LoadReport[] = []
  let cpuSeconds = 0
  for (let span = 0; span < SPANS; span += 1) {
    const before = cpuSecondsOf(mirror.pid)
    ours.push(await load.play(pattern))
    cpuSeconds += cpuSecondsOf(mirror.pid) - before
    await sleep(QUIET_MS)
    theirs.push(await peer.play(pattern))
    await sleep(QUIET_MS)
  }
  const latencies = ours.flatMap(({ latenciesMs }) => latenciesMs)
  const seconds = (SPANS * count) / PER_SECOND
  const name = `${PER_SECOND} puts/s, ${data.keys} keys`
  return [
    latencyRow(
      `${name} → visible`,
      latencies,
      theirs.flatMap(({ latenciesMs }) => latenciesMs),
    ),
    makeRow({ name: `${name}, CPU of the mirror`, unit: 'cores', samples: [cpuSeconds / seconds] }),
  ]
}

function latencyRow(name: string, samples: readonly number[], peer: readonly number[]): Row {
  const { p99, max, n } = summarize(samples)
  return makeRow({
    name: `${name}, p50`,
    unit: 'ms',
    samples,
    peer: { name: 'etcdctl watch → pipe', samples: peer },
    note: `p99 ${p99.toFixed(2)}, max ${max.toFixed(2)} ms, n ${n}`,
    listSamples: false,
  })
}
