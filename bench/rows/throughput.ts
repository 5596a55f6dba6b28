import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchContext, LoadedEtcd, Scenario } from '../context.ts'
import type { DataSet } from '../data-set.ts'
import { LoadDriver, type LoadReport, type Pattern } from '../load-driver.ts'
import { makeRow, type Row } from '../row.ts'
import { median } from '../statistics.ts'

/** Lets every tree become free again, so that the runs are alike. */
const REST_MS = 1500

/** First put → last revision visible, under all that one writing process can do. */
export const throughput: Scenario = {
  name: 'throughput',
  async run(context) {
    const data: DataSet = { prefix: '/bench/load/', keys: context.size(10_000, 1000), valueBytes: 256 }
    await using etcd = await context.etcdWith(data)
    const directory = context.newPath('tmpfs')
    const puts: Pattern = { kind: 'puts', count: context.size(20_000, 2000), writers: 32 }
    const txns: Pattern = { kind: 'txns', count: context.size(200, 20), size: 100 }
    const rows: Row[] = []
    for (const pattern of [puts, txns]) {
      const ours: LoadReport[] = []
      const theirs: LoadReport[] = []
      for (let run = 0; run < context.size(3, 1); run += 1) {
        ours.push(await playToMirror(context, etcd, data, { directory, pattern }))
        theirs.push(await playToPeer(context, etcd, data, pattern))
      }
      rows.push(...rowsOf(pattern, ours, theirs))
    }
    return rows
  },
}

/** The mirror runs only while it is measured: it would cost the peer its core. */
async function playToMirror(
  context: BenchContext,
  etcd: LoadedEtcd,
  data: DataSet,
  { directory, pattern }: { readonly directory: string; readonly pattern: Pattern },
): Promise<LoadReport> {
  await using mirror = await context.startMirror(etcd, data, directory)
  await mirror.ready()
  const observer = { kind: 'tree', root: mirror.root } as const
  await using tree = await LoadDriver.start({ endpoint: etcd.endpoint, data, observer })
  await sleep(REST_MS)
  const report = await tree.play(pattern)
  await mirror.stop()
  return report
}

async function playToPeer(
  { etcdctl }: BenchContext,
  { endpoint }: LoadedEtcd,
  data: DataSet,
  pattern: Pattern,
): Promise<LoadReport> {
  const observer = { kind: 'etcdctl', program: etcdctl, endpoint, prefix: data.prefix } as const
  await using peer = await LoadDriver.start({ endpoint, data, observer })
  await sleep(REST_MS)
  return await peer.play(pattern)
}

function rowsOf(pattern: Pattern, ours: readonly LoadReport[], theirs: readonly LoadReport[]): Row[] {
  const what = pattern.kind === 'txns' ? `${pattern.count} txns × ${pattern.size}` : `${pattern.count} puts`
  const peer = 'etcdctl watch → pipe'
  const writes = Math.round(median(ours.map(({ writeMs }) => writeMs)))
  return [
    makeRow({
      name: `${what}: first put → last one visible`,
      unit: 'ms',
      samples: ours.map(({ totalMs }) => totalMs),
      peer: { name: peer, samples: theirs.map(({ totalMs }) => totalMs) },
      note: `of which writing ${writes} ms`,
    }),
    makeRow({
      name: `${what}: last ack → last one visible`,
      unit: 'ms',
      samples: ours.map(({ afterLastAckMs }) => afterLastAckMs),
      peer: { name: peer, samples: theirs.map(({ afterLastAckMs }) => afterLastAckMs) },
    }),
  ]
}
