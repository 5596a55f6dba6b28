import { cp } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { ensureEtcd, ensureRoot } from '../../test/rig/ensure.mjs'
import { removeCgroups } from '../../test/support/cluster/cgroups.ts'
import { buildOwnImage, unpackImage } from '../../test/support/cluster/images.ts'
import { Machine } from '../../test/support/cluster/machine.ts'
import { eventually } from '../../test/support/wait.ts'
import type { BenchContext, Scenario } from '../context.ts'
import { makeRow, type Row } from '../row.ts'

const MIB = 1024 * 1024
const ENDPOINT = 'http://127.0.0.1:2379'
const MEASURE = join(import.meta.dirname, '../image/measure.mjs')

/** What `measure.mjs` prints: milliseconds, bytes. */
interface Measured {
  /** A Node that does nothing. */
  readonly bare: readonly number[]
  readonly version: readonly number[]
  readonly firstProbe: readonly number[]
  readonly idle: { readonly rss: number; readonly anonymous: number }
  /** Of each size the runs. */
  readonly limited: readonly (readonly LimitedSync[])[]
}

interface LimitedSync {
  /** Since the start. */
  readonly firstAnswer: number
  /** Since the start. */
  readonly published: number
  /** Of the probes from the first answer on that were answered with 200. */
  readonly latencies: readonly number[]
  /** The other probes. */
  readonly failed: number
}

/** The built image: its size, its start and its memory, free and under the limits of a small container. Needs root. */
export const image: Scenario = {
  name: 'image',
  async run(context) {
    const etcd = dirname((await ensureEtcd('3.6')).etcd)
    const env = { PATH: '/etcd:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root' }
    await using machine = await Machine.start({ root: await ensureRoot('machine'), shows: { etcd }, env })
    const built = await buildOwnImage(machine)
    const sizes = [1000, context.size(10_000, 2000)]
    try {
      const measured = await measure(machine, built.name, sizes, context)
      return rowsOf(built.bytesOverBase, measured, sizes)
    } finally {
      await removeCgroups('k8s.io-bench')
    }
  },
}

async function measure(
  machine: Machine,
  name: string,
  sizes: readonly number[],
  context: BenchContext,
): Promise<Measured> {
  const root = await unpackImage(machine, name)
  await cp(MEASURE, join(machine.data, 'unpacked/measure.mjs'))
  for (const directory of ['proc', 'sys', 'dev'])
    await machine.exec(['mount', '--rbind', `/${directory}`, `${root}/${directory}`])
  machine.serve(['etcd', '--data-dir', '/data/etcd', '--unsafe-no-fsync', '--log-level', 'error'])
  await eventually(() => machine.exec(['etcdctl', 'endpoint', 'health']), { timeoutMs: 60_000 })
  for (const keys of sizes) await fill(machine, `/bench/${keys}/`, keys)
  const options = {
    endpoint: ENDPOINT,
    prefixes: sizes.map((keys) => `/bench/${keys}/`),
    runs: context.size(10, 2),
    limitedRuns: context.size(3, 1),
    idleSeconds: context.size(10, 1),
  }
  const environment = ['env', 'NODE_COMPILE_CACHE=/opt/etcd-mirror/compile-cache', 'NODE_ENV=production']
  const command = ['chroot', root, ...environment, '/usr/local/bin/node', '/measure.mjs', JSON.stringify(options)]
  return JSON.parse(await machine.exec(command)) as Measured
}

async function fill(machine: Machine, prefix: string, keys: number): Promise<void> {
  for (let start = 0; start < keys; start += 100) {
    const puts = Array.from(
      { length: 100 },
      (_, index) => `put ${prefix}d${start}/k${start + index} ${'v'.repeat(256)}`,
    )
    await machine.exec(['etcdctl', 'txn'], { input: `\n${puts.join('\n')}\n\n\n` })
  }
}

function rowsOf(bytesOverBase: number, measured: Measured, sizes: readonly number[]): readonly Row[] {
  const { bare, version, firstProbe, idle, limited } = measured
  const peer = { name: 'node -e 0', samples: bare }
  const small = 'image, 100m CPU and 128 MiB'
  return [
    makeRow({ name: 'image over its base', unit: 'MB', samples: [bytesOverBase / 1e6], target: { value: 8 } }),
    makeRow({ name: 'image, --version', unit: 'ms', samples: version, peer, target: { value: 60 } }),
    makeRow({ name: 'image, start → first probe answered', unit: 'ms', samples: firstProbe, target: { value: 200 } }),
    makeRow({ name: 'image, RSS idle, 1000 keys', unit: 'MiB', samples: [idle.rss / MIB], target: { value: 100 } }),
    makeRow({
      name: 'image, RSS idle, anonymous',
      unit: 'MiB',
      samples: [idle.anonymous / MIB],
      target: { value: 50 },
    }),
    makeRow({
      name: `${small}: start → first probe answered`,
      unit: 's',
      samples: limited.flat().map(({ firstAnswer }) => firstAnswer / 1000),
    }),
    ...limited.flatMap((syncs, index) => [
      makeRow({
        name: `${small}: start → first publish of ${sizes[index]} keys`,
        unit: 's',
        samples: syncs.map(({ published }) => published / 1000),
      }),
      probeRow(`${small}: GET /livez meanwhile, ${sizes[index]} keys`, syncs),
    ]),
  ]
}

function probeRow(name: string, syncs: readonly LimitedSync[]): Row {
  const samples = syncs.flatMap(({ latencies }) => latencies)
  const failed = syncs.reduce((sum, sync) => sum + sync.failed, 0)
  return makeRow({ name, unit: 'ms', samples, note: `n ${samples.length}, failed ${failed}`, listSamples: false })
}
