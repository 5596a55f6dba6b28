import { rmSync } from 'node:fs'
import { runBarePeer } from '../bare-peer.ts'
import type { BenchContext, LoadedEtcd, Scenario, Store } from '../context.ts'
import type { DataSet } from '../data-set.ts'
import { untilVisible } from '../published-tree.ts'
import { makeRow, type Row } from '../row.ts'
import { median } from '../statistics.ts'

const MAX_RATIO = 1.5

interface Case {
  readonly keys: number
  readonly store: Store
  readonly runs: number
}

/** Process start → the complete tree is visible, into an empty root. */
export const coldSync: Scenario = {
  name: 'cold-sync',
  async run(context) {
    const [few, many] = [context.size(10_000, 1000), context.size(100_000, 5000)]
    const cases: readonly Case[] = [
      { keys: few, store: 'tmpfs', runs: context.size(5, 2) },
      { keys: few, store: 'disk', runs: context.size(5, 1) },
      { keys: many, store: 'tmpfs', runs: context.size(5, 2) },
      { keys: many, store: 'disk', runs: context.size(3, 1) },
    ]
    const rows: Row[] = []
    for (const each of cases) rows.push(await measure(context, each))
    return rows
  },
}

async function measure(context: BenchContext, { keys, store, runs }: Case): Promise<Row> {
  const data: DataSet = { prefix: '/bench/cold/', keys, valueBytes: 256 }
  await using etcd = await context.etcdWith(data)
  const samples: number[] = []
  const gets: number[] = []
  const loops: number[] = []
  for (let run = 0; run < runs; run += 1) {
    samples.push(await syncOnce(context, etcd, data, { store, checks: run === 0 }))
    const directory = context.newDirectory(store)
    const { getMs, loopMs } = await runBarePeer(context, etcd, data, { action: 'write', directory })
    gets.push(getMs)
    loops.push(loopMs)
    removeFromMemory(store, directory)
  }
  return makeRow({
    name: `cold sync, ${keys} keys, ${store}, ${context.layout}`,
    unit: 'ms',
    samples,
    peer: { name: 'etcdctl get + bare loop', samples: gets.map((get, run) => get + (loops[run] ?? 0)) },
    target: store === 'tmpfs' ? { ratio: MAX_RATIO } : undefined,
    note: `peer: get ${Math.round(median(gets))}, loop ${Math.round(median(loops))} ms`,
  })
}

async function syncOnce(
  context: BenchContext,
  etcd: LoadedEtcd,
  data: DataSet,
  { store, checks }: { readonly store: Store; readonly checks: boolean },
): Promise<number> {
  const directory = context.newPath(store)
  await using mirror = await context.startMirror(etcd, data, directory)
  await untilVisible(mirror.root, 1)
  const ms = performance.now() - mirror.startedAt
  await mirror.ready()
  if (checks) await runBarePeer(context, etcd, data, { action: 'compare', directory: `${mirror.root}/current` })
  const { keys, keyErrors } = await mirror.facts()
  if (keys !== data.keys || keyErrors.count > 0)
    throw new Error(`${keys} keys, ${keyErrors.count} of them not mirrored`)
  await mirror.stop()
  removeFromMemory(store, directory)
  return ms
}

function removeFromMemory(store: Store, directory: string): void {
  if (store === 'tmpfs') rmSync(directory, { recursive: true })
}
