import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

export interface Memory {
  readonly totalBytes: number
  readonly anonymousBytes: number
  readonly peakBytes: number
}

const TICKS_PER_SECOND = Number(execFileSync('getconf', ['CLK_TCK'], { encoding: 'utf8' }))

/** Resident memory of a process now, and the most it ever had. Linux only. */
export function memoryOf(pid: number): Memory {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8')
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return {
    totalBytes: kibibytes(rollup, 'Rss'),
    anonymousBytes: kibibytes(rollup, 'Anonymous'),
    peakBytes: kibibytes(status, 'VmHWM'),
  }
}

/** User and system time of a process so far, seconds. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The second field, the program's name, may hold spaces.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}

/** How many cores were busy over `ms`, by whomever. */
export async function busyCores(ms: number): Promise<number> {
  const before = busySeconds()
  const started = performance.now()
  await sleep(ms)
  return (busySeconds() - before) / ((performance.now() - started) / 1000)
}

function busySeconds(): number {
  const [, user, nice, system, , , irq, softirq, steal] =
    readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.split(/\s+/) ?? []
  return (
    [user, nice, system, irq, softirq, steal].reduce((sum, ticks) => sum + Number(ticks ?? 0), 0) / TICKS_PER_SECOND
  )
}

function kibibytes(text: string, name: string): number {
  const found = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)
  if (found === null) throw new Error(`Cannot read the memory of a process: no ${name}`)
  return Number(found[1]) * 1024
}
