import { readdirSync, rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BareTimes, runBarePeer } from '../bare-peer.ts'
import type { BenchContext, LoadedEtcd, Scenario } from '../context.ts'
import { type DataSet, putAll } from '../data-set.ts'
import { untilVisible } from '../published-tree.ts'
import { makeRow, type Row } from '../row.ts'

const RESUME_MS = 400

interface Restart {
  readonly etcd: LoadedEtcd
  readonly data: DataSet
  readonly directory: string
}

/** Process start → ready and equal, with the files of an earlier run in place. */
export const restart: Scenario = {
  name: 'restart',
  async run(context) {
    const data: DataSet = { prefix: '/bench/restart/', keys: context.size(100_000, 5000), valueBytes: 256 }
    await using etcd = await context.etcdWith(data)
    const subject: Restart = { etcd, data, directory: context.newPath('tmpfs') }
    await firstSync(context, subject)
    const [resumes, behind, relists]: [number[], number[], number[]] = [[], [], []]
    const peers: BareTimes[] = []
    for (let run = 0; run < context.size(5, 2); run += 1) {
      resumes.push(await resume(context, subject))
      behind.push(await resumeBehind(context, subject))
      relists.push(await relist(context, subject))
      peers.push(
        await runBarePeer(context, etcd, data, { action: 'compare', directory: `${subject.directory}/root/current` }),
      )
    }
    return rowsOf(data, { resumes, behind, relists, peers })
  },
}

async function firstSync(context: BenchContext, { etcd, data, directory }: Restart): Promise<void> {
  await using mirror = await context.startMirror(etcd, data, directory)
  await mirror.ready()
  await sleep(context.size(3000, 1000))
  await mirror.stop()
}

async function resume(context: BenchContext, { etcd, data, directory }: Restart): Promise<number> {
  await using mirror = await context.startMirror(etcd, data, directory)
  await mirror.ready()
  const ms = performance.now() - mirror.startedAt
  await mirror.applied(1)
  await mirror.stop()
  return ms
}

/** One key was changed meanwhile. */
async function resumeBehind(context: BenchContext, { etcd, data, directory }: Restart): Promise<number> {
  const revision = await putAll(etcd.client, data.prefix, [7], data.valueBytes)
  await using mirror = await context.startMirror(etcd, data, directory)
  await untilVisible(mirror.root, revision)
  const ms = performance.now() - mirror.startedAt
  await mirror.ready()
  await mirror.stop()
  return ms
}

/** Without a state to go on from: everything is read and compared, nothing is written. */
async function relist(context: BenchContext, { etcd, data, directory }: Restart): Promise<number> {
  const states = `${directory}/root/.etcd-mirror/trees`
  for (const name of readdirSync(states)) rmSync(`${states}/${name}`)
  await using mirror = await context.startMirror(etcd, data, directory)
  const { header } = await etcd.client.kv.range({ key: Buffer.from(data.prefix), count_only: true })
  await mirror.applied(Number(header.revision))
  const ms = performance.now() - mirror.startedAt
  await mirror.ready()
  await mirror.stop()
  return ms
}

interface Times {
  readonly resumes: readonly number[]
  readonly behind: readonly number[]
  readonly relists: readonly number[]
  readonly peers: readonly BareTimes[]
}

function rowsOf({ keys }: DataSet, { resumes, behind, relists, peers }: Times): Row[] {
  const times = peers.map(({ getMs, loopMs }) => getMs + loopMs)
  return [
    makeRow({
      name: `restart, ${keys} keys: nothing missed → ready`,
      unit: 'ms',
      samples: resumes,
      target: { value: RESUME_MS },
    }),
    makeRow({ name: `restart, ${keys} keys: one change missed → visible`, unit: 'ms', samples: behind }),
    makeRow({
      name: `restart, ${keys} keys: no state → read, compared, ready`,
      unit: 'ms',
      samples: relists,
      peer: { name: 'etcdctl get + bare compare', samples: times },
    }),
  ]
}
