import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, release, tmpdir, totalmem } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { EtcdPrograms } from '../test/rig/ensure.mjs'
import { BenchContext, type Scenario } from './context.ts'
import { busyCores } from './proc.ts'
import type { Layout } from './published-tree.ts'
import { type Machine, mergeRows, readRows, writeResults } from './results.ts'
import type { Row } from './row.ts'
import { coldSync } from './rows/cold-sync.ts'
import { image } from './rows/image.ts'
import { library } from './rows/library.ts'
import { live } from './rows/live.ts'
import { memory } from './rows/memory.ts'
import { objects } from './rows/objects.ts'
import { operator } from './rows/operator.ts'
import { rendering } from './rows/rendering.ts'
import { responsiveness } from './rows/responsiveness.ts'
import { restart } from './rows/restart.ts'
import { throughput } from './rows/throughput.ts'
import { table } from './table.ts'

const SCENARIOS: readonly Scenario[] = [
  coldSync,
  live,
  throughput,
  restart,
  memory,
  responsiveness,
  rendering,
  library,
  objects,
  operator,
  image,
]
/** By others, before we begin: below it a machine is quiet. */
const QUIET_CORES = 0.15
const MAX_WAITS = 10

export const SCENARIO_NAMES = SCENARIOS.map(({ name }) => name)

export interface RunOptions {
  readonly root: string
  readonly programs: EtcdPrograms
  readonly layout: Layout
  readonly quick: boolean
  /** Names of scenarios; undefined = all. */
  readonly only: readonly string[] | undefined
  /** Runs one scenario under a title. */
  readonly step: <Result>(title: string, work: () => Promise<Result>) => Promise<Result>
}

/** Measures, prints the table and, unless quick, puts the rows into `bench/results.json`. */
export async function runBench({ root, programs, layout, quick, only, step }: RunOptions): Promise<void> {
  // The build may be replaced while we run.
  const built = scratchDirectory(tmpdir())
  cpSync(join(root, 'dist/bin'), built, { recursive: true })
  const scratch = { tmpfs: scratchDirectory('/dev/shm'), disk: scratchDirectory(tmpdir()) }
  const context = new BenchContext({
    command: join(built, 'etcd-mirror.js'),
    etcdctl: programs.etcdctl,
    layout,
    quick,
    scratch,
  })
  const rows: Row[] = []
  for (const scenario of SCENARIOS.filter(({ name }) => only?.includes(name) ?? true)) {
    const busyBefore = await awaitQuiet()
    const measured = await step(scenario.name, () => scenario.run(context))
    console.log(`  busy cores of others before: ${busyBefore.toFixed(2)}, after: ${(await busyCores(500)).toFixed(2)}`)
    rows.push(...measured.map((row) => (quick ? { ...row, met: null } : row)))
  }
  console.log(`\n${table(rows)}\n`)
  if (quick) return
  const path = join(root, 'bench/results.json')
  const before = only === undefined ? [] : readRows(path)
  const commit = commitOf(root)
  const recorded = rows.map((row) => ({ ...row, commit }))
  writeResults(path, {
    machine: machine(programs.version),
    measuredAt: new Date().toISOString(),
    rows: mergeRows(before, recorded),
  })
  // It is committed, so it has to look as the style check wants it.
  execFileSync(join(root, 'node_modules/.bin/biome'), ['format', '--write', path], { stdio: 'ignore' })
  console.log(`written to ${path}; \`npm run generate\` puts it into docs/benchmarks.md`)
}

/** Resolves with what others use, once it is little or waiting has not helped. */
async function awaitQuiet(): Promise<number> {
  for (let wait = 0; ; wait += 1) {
    const busy = await busyCores(500)
    if (busy < QUIET_CORES || wait >= MAX_WAITS) return busy
    await sleep(1000)
  }
}

/** Removed when this process ends, not before: mass deletion makes the next creates on ext4 slow. */
function scratchDirectory(parent: string): string {
  const path = mkdtempSync(join(parent, 'etcd-mirror-bench-'))
  process.once('exit', () => rmSync(path, { recursive: true, force: true, maxRetries: 3 }))
  return path
}

function machine(etcd: string): Machine {
  return {
    cpu: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 1024 ** 3),
    kernel: release(),
    node: process.version,
    etcd,
  }
}

function commitOf(root: string): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: root, encoding: 'utf8' }).trim()
  return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', 'src') === '' ? '' : '+')
}
