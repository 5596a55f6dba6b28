import { rmSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import type { BenchMirror } from '../bench-mirror.ts'
import type { BenchContext, LoadedEtcd, Scenario } from '../context.ts'
import type { DataSet } from '../data-set.ts'
import { cpuSecondsOf, type Memory, memoryOf } from '../proc.ts'
import { makeRow, type Row } from '../row.ts'
import { median } from '../statistics.ts'

const MIB = 1024 * 1024
const MAX_BYTES_A_KEY = 60
const MAX_PEAK_MIB = 200

interface Sample extends Memory {
  /** Over the idle time, as if it were 60 s. */
  readonly idleCpuSecondsPerMinute: number
}

/** Resident memory and idle CPU after a first sync, small and large trees alternating. */
export const memory: Scenario = {
  name: 'memory',
  async run(context) {
    const few: DataSet = { prefix: '/bench/few/', keys: 1000, valueBytes: 256 }
    const many: DataSet = { prefix: '/bench/many/', keys: context.size(100_000, 5000), valueBytes: 256 }
    const big: DataSet = { prefix: '/bench/big/', keys: context.size(100, 10), valueBytes: MIB }
    await using etcd = await context.etcdWith(few, many, big)
    const samples = new Map<DataSet, Sample[]>([few, many, big].map((set) => [set, []]))
    for (let run = 0; run < context.size(3, 1); run += 1) {
      // All three at once: idle ones do not disturb each other, and the idle time is the long part.
      const runs = await measureTogether(context, etcd, [...samples.keys()])
      for (const [set, sample] of runs) samples.get(set)?.push(sample)
    }
    const of = (set: DataSet) => samples.get(set) ?? []
    return [
      ...rowsOf(few, of(few)),
      ...rowsOf(many, of(many)),
      growth(few, of(few), many, of(many)),
      ...rowsOf(big, of(big)),
    ]
  },
}

async function measureTogether(
  context: BenchContext,
  etcd: LoadedEtcd,
  sets: readonly DataSet[],
): Promise<readonly (readonly [DataSet, Sample])[]> {
  await using cleanup = new AsyncDisposableStack()
  const mirrors: [DataSet, BenchMirror][] = []
  for (const set of sets) {
    const directory = context.newPath('tmpfs')
    cleanup.defer(() => rmSync(directory, { recursive: true }))
    const mirror = cleanup.use(await context.startMirror(etcd, set, directory))
    await mirror.ready()
    await settled(mirror)
    mirrors.push([set, mirror])
  }
  const seconds = context.size(20, 2)
  const before = mirrors.map(([, { pid }]) => cpuSecondsOf(pid))
  await sleep(seconds * 1000)
  return mirrors.map(([set, { pid }], index) => {
    const idleCpuSecondsPerMinute = ((cpuSecondsOf(pid) - (before[index] ?? 0)) * 60) / seconds
    return [set, { ...memoryOf(pid), idleCpuSecondsPerMinute }] as const
  })
}

/** What is done in the background after the first publish is done. */
async function settled({ pid }: BenchMirror): Promise<void> {
  for (let before = -1, now = 0; now > before; ) {
    before = cpuSecondsOf(pid)
    await sleep(1000)
    now = cpuSecondsOf(pid)
  }
}

function rowsOf({ keys, valueBytes }: DataSet, samples: readonly Sample[]): Row[] {
  const what = `${keys} keys × ${valueBytes === MIB ? '1 MiB' : `${valueBytes} B`}`
  const mib = (pick: (sample: Sample) => number) => samples.map((sample) => pick(sample) / MIB)
  return [
    makeRow({ name: `RSS idle, ${what}`, unit: 'MiB', samples: mib(({ totalBytes }) => totalBytes) }),
    makeRow({
      name: `RSS idle, anonymous, ${what}`,
      unit: 'MiB',
      samples: mib(({ anonymousBytes }) => anonymousBytes),
    }),
    makeRow({
      name: `RSS peak, ${what}`,
      unit: 'MiB',
      samples: mib(({ peakBytes }) => peakBytes),
      target: valueBytes === MIB ? { value: MAX_PEAK_MIB } : undefined,
    }),
    makeRow({
      name: `idle CPU, ${what}`,
      unit: 's/min',
      samples: samples.map(({ idleCpuSecondsPerMinute }) => idleCpuSecondsPerMinute),
    }),
  ]
}

function growth(few: DataSet, small: readonly Sample[], many: DataSet, large: readonly Sample[]): Row {
  const base = median(small.map(({ totalBytes }) => totalBytes))
  return makeRow({
    name: `idle RSS growth from ${few.keys} to ${many.keys} keys`,
    unit: 'B/key',
    samples: large.map(({ totalBytes }) => (totalBytes - base) / (many.keys - few.keys)),
    target: { value: MAX_BYTES_A_KEY },
  })
}
