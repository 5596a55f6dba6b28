import { spawnTracked } from '../../test/support/child-process.ts'
import type { BenchContext, LoadedEtcd, Scenario } from '../context.ts'
import { type DataSet, putAll, relativeKey } from '../data-set.ts'
import { type LibraryCost, type LibraryTask, runLibraryTask } from '../library-peer.ts'
import { makeRow, type Row } from '../row.ts'

const MAX_LATENCY_RATIO = 1.1
const MAX_LIST_RATIO = 0.5
const MAX_WATCH_RATIO = 0.6
const TXN_KEYS = 100

interface Pair {
  readonly ours: readonly LibraryCost[]
  readonly etcd3: readonly LibraryCost[]
}

/** The library beside the npm client `etcd3` and `etcdctl`: what single calls take, and what lists and watches cost. */
export const library: Scenario = {
  name: 'library',
  async run(context) {
    const data: DataSet = { prefix: '/bench/list/', keys: context.size(100_000, 2000), valueBytes: 256 }
    await using etcd = await context.etcdWith(data)
    return [
      ...(await singleCalls(context, etcd)),
      ...(await lists(context, etcd, data)),
      ...(await events(context, etcd)),
      ...(await manyWatches(context, etcd)),
    ]
  },
}

async function singleCalls(context: BenchContext, etcd: LoadedEtcd): Promise<readonly Row[]> {
  const rows: Row[] = []
  for (const task of ['get', 'put', 'txn'] as const) {
    const { ours, etcd3 } = await inTurns(context, etcd, {
      task,
      prefix: '/bench/calls/',
      count: context.size(2000, 100),
    })
    rows.push(
      makeRow({
        name: `library: ${task === 'txn' ? 'txn of 10 puts' : task}, one after another, p50`,
        unit: 'ms',
        samples: ours.map(({ p50Ms = Number.NaN }) => p50Ms),
        peer: { name: 'etcd3', samples: etcd3.map(({ p50Ms = Number.NaN }) => p50Ms) },
        target: { ratio: MAX_LATENCY_RATIO },
      }),
    )
  }
  return rows
}

async function lists(context: BenchContext, etcd: LoadedEtcd, { prefix, keys }: DataSet): Promise<readonly Row[]> {
  const { ours, etcd3 } = await inTurns(context, etcd, { task: 'list', prefix, count: keys })
  const tool: number[] = []
  for (let run = 0; run < ours.length; run += 1) tool.push(await etcdctlList(context, etcd, prefix))
  const times = { unit: 'ms', samples: ours.map(({ ms }) => ms) }
  return [
    cpuRow(`library: list of ${keys} keys`, { ours, etcd3 }, MAX_LIST_RATIO),
    makeRow({
      ...times,
      name: `library: list of ${keys} keys, time`,
      peer: { name: 'etcd3', samples: etcd3.map(({ ms }) => ms) },
      note: 'pages at one revision; the peer reads one answer',
    }),
    makeRow({
      ...times,
      name: `library: list of ${keys} keys, time beside etcdctl`,
      peer: { name: 'etcdctl get --prefix', samples: tool },
      note: 'the peer with its start, output thrown away',
    }),
  ]
}

async function etcdctlList({ etcdctl }: BenchContext, { endpoint }: LoadedEtcd, prefix: string): Promise<number> {
  const started = performance.now()
  const args = [`--endpoints=${endpoint}`, 'get', '--prefix', prefix]
  const { code } = await spawnTracked(etcdctl, args, { stdio: 'ignore' }).exit
  if (code !== 0) throw new Error(`etcdctl ended with exit code ${code}`)
  return performance.now() - started
}

async function events(context: BenchContext, etcd: LoadedEtcd): Promise<readonly Row[]> {
  const count = context.size(100_000, 2000)
  const write = (prefix: string) => async () => {
    for (let from = 0; from < count; from += TXN_KEYS) {
      const indexes = Array.from({ length: TXN_KEYS }, (_, offset) => from + offset)
      await putAll(etcd.client, prefix, indexes, 256)
    }
  }
  const pair = await inTurns(context, etcd, { task: 'watch', prefix: '/bench/events', count, write })
  return [cpuRow(`library: watch of ${count} events, ${TXN_KEYS} a revision`, pair, MAX_WATCH_RATIO)]
}

async function manyWatches(context: BenchContext, etcd: LoadedEtcd): Promise<readonly Row[]> {
  const count = context.size(1000, 100)
  const write = (prefix: string) => async () => {
    for (let number = 0; number < count; number += 1) {
      await etcd.client.put(`${prefix}${String(number).padStart(6, '0')}`).value(relativeKey(number))
    }
  }
  const pair = await inTurns(context, etcd, { task: 'watches', prefix: '/bench/watches', count, write })
  return [
    cpuRow(`library: ${count} watches on one connection, one event each`, pair, undefined),
    makeRow({
      name: `library: ${count} watches on one connection, RSS`,
      unit: 'MiB',
      samples: pair.ours.map(({ rssMiB }) => rssMiB),
      peer: { name: 'etcd3', samples: pair.etcd3.map(({ rssMiB }) => rssMiB) },
    }),
  ]
}

function cpuRow(name: string, { ours, etcd3 }: Pair, ratio: number | undefined): Row {
  return makeRow({
    name: `${name}, processor time`,
    unit: 'ms',
    samples: ours.map(({ cpuMs }) => cpuMs),
    peer: { name: 'etcd3', samples: etcd3.map(({ cpuMs }) => cpuMs) },
    target: ratio === undefined ? undefined : { ratio },
  })
}

interface Work {
  readonly task: LibraryTask
  readonly prefix: string
  readonly count: number
  /** What is done once the client waits, below a prefix of this run. */
  readonly write?: (prefix: string) => () => Promise<void>
}

/** Both clients, one after the other, several times; for tasks with writes below a new prefix each time. */
async function inTurns(context: BenchContext, { endpoint }: LoadedEtcd, work: Work): Promise<Pair> {
  const { task, count, write } = work
  const costs = { ours: [] as LibraryCost[], etcd3: [] as LibraryCost[] }
  for (let run = 0; run < context.size(5, 2); run += 1) {
    for (const client of run % 2 === 0 ? (['ours', 'etcd3'] as const) : (['etcd3', 'ours'] as const)) {
      const prefix = write === undefined ? work.prefix : `${work.prefix}/${run}/${client}/`
      const onReady = write?.(prefix)
      costs[client].push(await runLibraryTask({ client, task, endpoint, prefix, count, ...(onReady && { onReady }) }))
    }
  }
  return costs
}
