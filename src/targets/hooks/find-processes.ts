import { readdirSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'

interface Process {
  readonly pid: number
  readonly parent: number
}

/** What the kernel keeps of a name. */
const COMM_LENGTH = 15

/**
 * Ids of the processes of a name that no process of that name has started: of a server and its workers, the server. Sees
 * what `/proc` shows; the own process does not count.
 */
export function findProcesses(name: string, proc = '/proc'): readonly number[] {
  const found: Process[] = []
  for (const entry of readdirSync(proc)) {
    const pid = Number(entry)
    if (!Number.isInteger(pid) || pid === process.pid) continue
    const parent = parentOf(proc, pid, name)
    if (parent !== undefined) found.push({ pid, parent })
  }
  const pids = new Set(found.map(({ pid }) => pid))
  return found.filter(({ parent }) => !pids.has(parent)).map(({ pid }) => pid)
}

/** undefined = it has another name, or has ended. */
function parentOf(proc: string, pid: number, name: string): number | undefined {
  try {
    const stat = readFileSync(`${proc}/${pid}/stat`, 'utf8')
    // pid (comm) state ppid: the name may hold blanks and brackets.
    const end = stat.lastIndexOf(')')
    const [state = '', parent = ''] = stat.slice(end + 2).split(' ')
    if (state === 'Z' || state === 'X') return undefined
    const comm = stat.slice(stat.indexOf('(') + 1, end)
    if (comm !== name.slice(0, COMM_LENGTH)) {
      const [program = ''] = readFileSync(`${proc}/${pid}/cmdline`, 'utf8').split('\0')
      if (basename(program) !== name) return undefined
    }
    return Number(parent)
  } catch {
    return undefined
  }
}
