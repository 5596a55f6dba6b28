import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchMirror } from '../bench-mirror.ts'
import type { BenchContext, LoadedEtcd, Scenario } from '../context.ts'
import type { DataSet } from '../data-set.ts'
import { visibleRevision } from '../published-tree.ts'
import { makeRow } from '../row.ts'
import { summarize } from '../statistics.ts'

const PROBE = join(import.meta.dirname, '../event-loop-probe.mjs')
const PROBE_EVERY_MS = 20

interface EventLoopReport {
  readonly p50: number
  readonly p99: number
  readonly max: number
}

interface Run {
  readonly loop: EventLoopReport
  readonly probesMs: readonly number[]
}

/** How late the event loop and a probe are while a first sync writes, from the first answered probe to the publish. */
export const responsiveness: Scenario = {
  name: 'responsiveness',
  async run(context) {
    const data: DataSet = { prefix: '/bench/probe/', keys: context.size(100_000, 20_000), valueBytes: 256 }
    await using etcd = await context.etcdWith(data)
    const runs: Run[] = []
    for (let run = 0; run < context.size(3, 1); run += 1) runs.push(await measure(context, etcd, data))
    const probes = summarize(runs.flatMap(({ probesMs }) => probesMs))
    const text = ({ p99, max }: { p99: number; max: number }) => `p99 ${p99.toFixed(1)}, max ${max.toFixed(1)} ms`
    const latest = Math.max(...runs.map(({ loop }) => loop.max))
    return [
      makeRow({
        name: `event-loop delay p99 while ${data.keys} keys are written`,
        unit: 'ms',
        samples: runs.map(({ loop }) => loop.p99),
        note: `max ${latest.toFixed(1)} ms`,
      }),
      makeRow({
        name: `GET /livez p50 while ${data.keys} keys are written`,
        unit: 'ms',
        samples: runs.flatMap(({ probesMs }) => probesMs),
        note: `${text(probes)}, n ${probes.n}`,
        listSamples: false,
      }),
    ]
  },
}

async function measure(context: BenchContext, etcd: LoadedEtcd, data: DataSet): Promise<Run> {
  const directory = context.newPath('tmpfs')
  const report = context.newPath('tmpfs')
  const options = { nodeOptions: ['--import', PROBE], env: { EVENT_LOOP_REPORT: report } }
  await using mirror = await context.startMirror(etcd, data, directory, options)
  await mirror.until(() => mirror.probe('/livez'))
  mirror.signal('SIGUSR2')
  const probesMs = await probeUntilVisible(mirror)
  mirror.signal('SIGUSR2')
  await mirror.until(async () => JSON.parse(readFileSync(report, 'utf8')))
  const loop = JSON.parse(readFileSync(report, 'utf8')) as EventLoopReport
  await mirror.stop()
  rmSync(directory, { recursive: true })
  return { loop, probesMs }
}

async function probeUntilVisible(mirror: BenchMirror): Promise<readonly number[]> {
  const probes: Promise<number>[] = []
  do {
    probes.push(mirror.probe('/livez'))
    await sleep(PROBE_EVERY_MS)
  } while (visibleRevision(mirror.root) === undefined)
  return await Promise.all(probes)
}
