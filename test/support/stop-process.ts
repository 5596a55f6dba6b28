import { readdirSync, readFileSync } from 'node:fs'

/** Stops a process (SIGSTOP) and returns once none of its threads runs: on a busy machine that takes a while. Linux only. */
export function stopProcess(pid: number): void {
  process.kill(pid, 'SIGSTOP')
  const tick = new Int32Array(new SharedArrayBuffer(4))
  while (!isStopped(pid)) Atomics.wait(tick, 0, 0, 1)
}

function isStopped(pid: number): boolean {
  return readdirSync(`/proc/${pid}/task`).every((thread) => {
    try {
      return /\) [TZX]/.test(readFileSync(`/proc/${pid}/task/${thread}/stat`, 'latin1'))
    } catch {
      // It ended in between: something still ran.
      return false
    }
  })
}
