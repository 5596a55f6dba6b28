import { once } from 'node:events'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { spawnTracked } from '../test/support/child-process.ts'

const PROGRAM = join(import.meta.dirname, 'peer/library-client.mjs')

export type LibraryTask = 'get' | 'put' | 'txn' | 'list' | 'watch' | 'watches'

export interface LibraryRun {
  readonly client: 'ours' | 'etcd3'
  readonly task: LibraryTask
  readonly endpoint: string
  readonly prefix: string
  readonly count: number
  /** Called once the client waits for events. */
  readonly onReady?: () => Promise<void>
}

/** What a task cost the process that did it; start-up and warm-up are left out. */
export interface LibraryCost {
  readonly cpuMs: number
  readonly ms: number
  readonly rssMiB: number
  /** Of single calls. */
  readonly p50Ms?: number
}

/** Runs one task in a process of its own. Rejects when it fails. */
export async function runLibraryTask({
  client,
  task,
  endpoint,
  prefix,
  count,
  onReady,
}: LibraryRun): Promise<LibraryCost> {
  const args = [PROGRAM, client, task, endpoint, prefix, String(count)]
  const { child, exit } = spawnTracked(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  if (child.stdout === null) throw new Error('there is no output to read')
  const lines = createInterface({ input: child.stdout })
  let cost: LibraryCost | undefined
  let load: Promise<void> | undefined
  lines.on('line', (line) => {
    if (line === 'ready') load = onReady?.()
    else cost = JSON.parse(line)
  })
  await Promise.all([once(lines, 'close'), exit])
  await load
  if (cost === undefined) throw new Error(`${client} ${task} did not end well`)
  return cost
}
