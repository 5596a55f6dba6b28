import { existsSync, renameSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Arena } from '../arena.ts'
import type { Fault } from '../fault.ts'
import type { Random } from '../random.ts'

/** What happens to the mirror's own process, and to its root. */
export const PROCESS_FAULTS: readonly Fault[] = [
  { name: 'mirror killed', strike: killed },
  { name: 'mirror terminated', strike: terminated },
  { name: 'mirror stopped and continued', strike: stopped },
  { name: 'mirror told to resync', strike: hangup },
  { name: 'root removed', strike: rootRemoved },
]

async function killed({ mirror }: Arena, random: Random): Promise<void> {
  for (let left = random.int(1, 3); left > 0; left -= 1) {
    await mirror.end('SIGKILL')
    await sleep(random.int(0, 300))
    mirror.start()
    // Also in the middle of its start.
    await sleep(random.int(0, 1200))
  }
}

async function terminated({ mirror }: Arena, random: Random): Promise<void> {
  const exit = await mirror.end('SIGTERM')
  // A signal that comes before the command can listen ends it in the system's way.
  if (exit?.code !== 0 && exit?.signal !== 'SIGTERM')
    throw new Error(`The mirror ended with ${JSON.stringify(exit)}\n${mirror.output.slice(-2000)}`)
  await sleep(random.int(0, 500))
  mirror.start()
}

async function stopped({ mirror }: Arena, random: Random): Promise<void> {
  mirror.signal('SIGSTOP')
  await sleep(random.pick([200, 1500, 6000]))
  mirror.signal('SIGCONT')
}

async function hangup({ mirror }: Arena): Promise<void> {
  mirror.signal('SIGHUP')
}

/** At one instant: a removal file by file would be seen file by file, whatever the mirror does. */
async function rootRemoved({ mirror, readers }: Arena): Promise<void> {
  if (!existsSync(mirror.root)) return
  const gone = `${mirror.root}-gone`
  renameSync(mirror.root, gone)
  readers.rootWasRemoved()
  await rm(gone, { recursive: true, force: true, maxRetries: 10 })
  // It is noticed with the next change, or when it is looked for.
  mirror.signal('SIGHUP')
}
