import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { type ProcessExit, spawnTracked, type TrackedProcess } from './child-process.ts'
import { eventually } from './wait.ts'

const COMMAND = join(import.meta.dirname, '../../dist/bin/etcd-mirror.js')

export interface StartMirrorOptions {
  /** Nothing but PATH is inherited. */
  readonly env?: Readonly<Record<string, string>>
  readonly cwd?: string
  /** A command that runs another one, its last arguments. */
  readonly by?: readonly string[]
}

/** One JSON log line. */
export type LogLine = Readonly<Record<string, unknown>>

/** Starts the built command, as in `startMirror(['run', '--config-dir', directory])`. */
export function startMirror(args: readonly string[], options: StartMirrorOptions = {}): MirrorProcess {
  const ours = [process.execPath, '--enable-source-maps', COMMAND, ...args]
  const [command = process.execPath, ...rest] = [...(options.by ?? []), ...ours]
  return new MirrorProcess(
    spawnTracked(command, rest, {
      cwd: options.cwd,
      env: { PATH: process.env.PATH, ...options.env },
      stdio: ['ignore', 'pipe', 'pipe'],
    }),
  )
}

/** A running `etcd-mirror`. Disposing of it kills it. */
export class MirrorProcess implements AsyncDisposable {
  readonly pid: number
  /** Resolves when it has ended, however it did. */
  readonly exit: Promise<ProcessExit>
  readonly #process: TrackedProcess
  readonly #logs: LogLine[] = []
  readonly #lines: string[] = []

  constructor(started: TrackedProcess) {
    this.#process = started
    this.pid = started.pid
    this.exit = started.exit
    for (const stream of [started.child.stdout, started.child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#read(line))
    }
  }

  /** Every line that is JSON, oldest first. */
  get logs(): readonly LogLine[] {
    return this.#logs
  }

  /** Everything printed so far, both streams. */
  get output(): string {
    return this.#lines.join('\n')
  }

  /** Resolves with the first log line, past or future, that fits; rejects when the process ends without it. */
  async waitForLog(fits: (line: LogLine) => boolean, { timeoutMs = 150_000 } = {}): Promise<LogLine> {
    const found = await eventually(
      () => {
        const line = this.#logs.find(fits)
        if (line === undefined && this.#process.isRunning)
          throw new Error(`The log line has not come:\n${this.#tail()}`)
        return line
      },
      { timeoutMs },
    )
    if (found === undefined) throw new Error(`etcd-mirror ended before the log line came:\n${this.#tail()}`)
    return found
  }

  /** Sends a signal and resolves when the process has ended. For signals that do not end it, use `signal`. */
  async kill(signal: NodeJS.Signals = 'SIGTERM'): Promise<ProcessExit> {
    this.signal(signal)
    return await this.exit
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.child.kill(signal)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill('SIGKILL')
  }

  #read(line: string): void {
    this.#lines.push(line)
    try {
      const parsed: unknown = JSON.parse(line)
      if (typeof parsed === 'object' && parsed !== null) this.#logs.push(parsed as LogLine)
    } catch {
      // Plain text, such as help and usage errors: in `output`.
    }
  }

  #tail(): string {
    return this.#lines.slice(-20).join('\n')
  }
}
