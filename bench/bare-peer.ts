import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { spawnTracked } from '../test/support/child-process.ts'
import type { BenchContext, LoadedEtcd } from './context.ts'
import type { DataSet } from './data-set.ts'

const BARE_LOOP = join(import.meta.dirname, 'peer/bare-loop.mjs')

/** What to do with the keys that `etcdctl get --prefix` printed. */
export interface BareWork {
  readonly action: 'write' | 'compare'
  readonly directory: string
}

/** Milliseconds that both steps took, process starts included. Rejects when one fails: a difference is a failure. */
export interface BareTimes {
  readonly getMs: number
  readonly loopMs: number
}

/** `etcdctl get --prefix` into a file in memory, then the bare loop over it. */
export async function runBarePeer(
  context: BenchContext,
  { endpoint }: LoadedEtcd,
  { prefix }: DataSet,
  { action, directory }: BareWork,
): Promise<BareTimes> {
  const dump = context.newPath('tmpfs')
  const getMs = await timed(context.etcdctl, [`--endpoints=${endpoint}`, 'get', '--prefix', prefix], dump)
  const loopMs = await timed(process.execPath, [BARE_LOOP, action, dump, prefix, directory])
  return { getMs, loopMs }
}

async function timed(command: string, args: readonly string[], output?: string): Promise<number> {
  const stdout = output === undefined ? 'ignore' : openSync(output, 'w')
  try {
    const started = performance.now()
    const { code } = await spawnTracked(command, args, { stdio: ['ignore', stdout, 'inherit'] }).exit
    if (code !== 0) throw new Error(`${command} ${args[1] ?? ''} ended with exit code ${code}`)
    return performance.now() - started
  } finally {
    if (typeof stdout === 'number') closeSync(stdout)
  }
}
