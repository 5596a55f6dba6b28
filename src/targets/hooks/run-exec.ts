import type { ChildProcess } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { HookFailure } from './hook-failure.ts'
import type { HookRun } from './hook-run.ts'
import type { ExecOptions } from './options.ts'
import { OutputTail } from './output-tail.ts'

/** Between asking a program to end and ending it; and how long one that cannot be ended is waited for. */
const KILL_GRACE_MS = 1000

type End = { readonly code: number | null; readonly signal: NodeJS.Signals | null } | { readonly error: Error }

/**
 * Runs a program in a process group of its own, with nothing to read. When it has ended, timed out or been aborted the
 * whole group is gone. Throws `HookFailure`, or the abort reason.
 */
export async function runExec({ command }: ExecOptions, run: HookRun): Promise<void> {
  const [program = '', ...args] = command
  run.signal.throwIfAborted()
  // Loaded at the first use: a start without hooks is some milliseconds sooner.
  const { spawn } = process.getBuiltinModule('node:child_process')
  const child = spawn(program, args, {
    cwd: run.directory,
    env: { ...process.env, ...run.environment },
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const output = new OutputTail()
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk: Buffer) => output.add(chunk))
  const ended = endOf(child)
  try {
    const end = await orStopped(ended, run)
    if (end === undefined) await stop(child, ended)
    run.signal.throwIfAborted()
    judge(end, program, run.timeoutMs, output)
  } finally {
    // Whatever it has started and left behind.
    signalGroup(child, 'SIGKILL')
    child.stdout.destroy()
    child.stderr.destroy()
  }
}

/** Not of its streams: those of a program that left something behind stay open. */
function endOf(child: ChildProcess): Promise<End> {
  return new Promise((resolve) => {
    child.once('error', (error) => resolve({ error }))
    child.once('exit', (code, signal) => resolve({ code, signal }))
  })
}

/** undefined = it goes on, and must not. */
async function orStopped(ended: Promise<End>, { timeoutMs, signal }: HookRun): Promise<End | undefined> {
  const over = new AbortController()
  const either = AbortSignal.any([over.signal, signal])
  const late = delay(timeoutMs, undefined, { signal: either }).catch(() => undefined)
  try {
    return await Promise.race([ended, late])
  } finally {
    over.abort()
  }
}

async function stop(child: ChildProcess, ended: Promise<End>): Promise<void> {
  for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
    signalGroup(child, signal)
    const waited = new AbortController()
    const late = delay(KILL_GRACE_MS, undefined, { signal: waited.signal }).catch(() => undefined)
    if ((await Promise.race([ended, late])) !== undefined) return waited.abort()
  }
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  if (pid === undefined) return
  try {
    process.kill(-pid, signal)
  } catch {
    // None of it is left, or it is not ours any more.
  }
}

function judge(end: End | undefined, program: string, timeoutMs: number, output: OutputTail): void {
  if (end === undefined) throw new HookFailure('timeout', `it took longer than ${timeoutMs / 1000} s`, output.text)
  if ('error' in end) {
    const code = 'code' in end.error ? String(end.error.code) : 'failed'
    throw new HookFailure('error', `${program} cannot be run (${code})`)
  }
  if (end.signal !== null) throw new HookFailure('error', `it was ended by ${end.signal}`, output.text)
  if (end.code === 127) throw new HookFailure('error', 'it ended with 127: a program was not found', output.text)
  if (end.code !== 0) throw new HookFailure('error', `it ended with ${end.code}`, output.text)
}
