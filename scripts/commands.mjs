// Child processes of the scripts: each is a process group of its own, and none outlives the script.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setTimeout as sleep } from 'node:timers/promises'

const stopSignals = ['SIGINT', 'SIGTERM', 'SIGHUP']
const running = new Set()
let isStopping = false

/**
 * Runs a command to its end. Rejects when it fails; `quiet` shows its output only then.
 * Ctrl-C ends it with everything it started, and then this process with exit code 130.
 */
export async function runCommand(command, args, { cwd, env, quiet = false } = {}) {
  const stdio = quiet ? ['ignore', 'pipe', 'pipe'] : ['ignore', 'inherit', 'inherit']
  const child = spawn(command, args, { cwd, env, stdio, detached: true })
  if (stopSignals.every((signal) => process.listenerCount(signal, stop) === 0)) {
    for (const signal of stopSignals) process.on(signal, stop)
  }
  running.add(child)
  const output = []
  child.stdout?.on('data', (chunk) => output.push(chunk))
  child.stderr?.on('data', (chunk) => output.push(chunk))
  const [code, signal] = await once(child, 'close')
  if (isStopping) await once(process, 'exit')
  running.delete(child)
  if (code === 0) return
  process.stderr.write(Buffer.concat(output))
  throw new Error(`${command} ended with ${signal ?? `exit code ${code}`}`)
}

/** Runs a command in the foreground, hands signals on to it, and resolves with its exit code. */
export async function runForwardingSignals(command, args) {
  const child = spawn(command, args, { stdio: 'inherit' })
  for (const signal of stopSignals) process.on(signal, () => child.kill(signal))
  const [code] = await once(child, 'close')
  return code ?? 1
}

// A terminal sends Ctrl-C to every process of npm's chain, and each hands it on: only the first one counts.
async function stop() {
  if (isStopping) return
  isStopping = true
  const ends = [...running].map((child) => once(child, 'close'))
  for (const child of running) killGroup(child, 'SIGTERM')
  await Promise.race([Promise.all(ends), sleep(3000)])
  // What is left of the groups: frozen servers of the tests do not hear SIGTERM.
  for (const child of running) killGroup(child, 'SIGKILL')
  process.exit(130)
}

function killGroup(child, signal) {
  try {
    process.kill(-child.pid, signal)
  } catch (error) {
    if (error.code !== 'ESRCH') throw error
  }
}
