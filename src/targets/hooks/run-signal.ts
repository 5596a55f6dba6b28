import { findProcesses } from './find-processes.ts'
import { HookFailure } from './hook-failure.ts'
import type { SignalOptions } from './options.ts'

/** Sends a signal, or only tries whether it could (`isTrial`). Throws `HookFailure`. */
export function runSignal({ process: name, signal }: SignalOptions, { isTrial = false } = {}): void {
  const pids = findProcesses(name)
  if (pids.length === 0) {
    throw new HookFailure('error', `there is no process ${name} to be seen from here (shareProcessNamespace?)`)
  }
  for (const pid of pids) {
    try {
      process.kill(pid, isTrial ? 0 : signal)
    } catch (error) {
      const code = error instanceof Error && 'code' in error ? error.code : 'failed'
      throw new HookFailure('error', `the process ${name} cannot be sent a signal (${code})`)
    }
  }
}
