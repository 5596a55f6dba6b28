import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process'

export interface ProcessExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

export interface TrackedProcess {
  readonly child: ChildProcess
  readonly pid: number
  /** Resolves once the process is gone and its output is read; never rejects after a successful start. */
  readonly exit: Promise<ProcessExit>
  readonly isRunning: boolean
}

/** Starts a process that is killed at the latest when this one exits. Throws when it cannot be started. */
export function spawnTracked(command: string, args: readonly string[], options: SpawnOptions): TrackedProcess {
  const child = spawn(command, args, options)
  const killAtExit = () => child.kill('SIGKILL')
  // Before the directory that it writes to is removed.
  process.prependOnceListener('exit', killAtExit)
  let isRunning = true
  const exit = new Promise<ProcessExit>((resolve) => {
    child.once('error', () => resolve({ code: null, signal: null }))
    child.once('close', (code, signal) => resolve({ code, signal }))
  }).finally(() => {
    isRunning = false
    process.off('exit', killAtExit)
  })
  if (child.pid === undefined) throw new Error(`Cannot start ${command}: not found or not executable`)
  return {
    child,
    pid: child.pid,
    exit,
    get isRunning() {
      return isRunning
    },
  }
}
