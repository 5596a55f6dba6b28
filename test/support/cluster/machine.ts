import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable } from 'node:stream'
import { text } from 'node:stream/consumers'
import { spawnTracked, type TrackedProcess } from '../child-process.ts'
import { makeTempDir, type TempDir } from '../temp-dir.ts'
import { removeCgroups } from './cgroups.ts'

const ENTER = join(import.meta.dirname, 'enter.sh')
const NAMESPACES = ['-m', '-n', '-p', '-u', '-i']

export interface MachineOptions {
  /** Directory of the system that it begins with; it is not changed. */
  readonly root: string
  /** Directories that its processes see as `/name`. */
  readonly shows: Readonly<Record<string, string>>
  /** Of every process. */
  readonly env: Readonly<Record<string, string>>
}

export interface ExecOptions {
  readonly input?: string | Buffer
  /** A program of this machine, which sees what is here and only the network of that one. Default false. */
  readonly onlyNetwork?: boolean
}

/**
 * A machine of its own on this one: its mounts, its network and its processes are its alone, and end with it. Needs root.
 * Its network holds the bridge `cni0` with 10.244.0.1 and nothing else.
 */
export class Machine implements AsyncDisposable {
  readonly #first: TrackedProcess
  readonly #pid: number
  readonly #directory: TempDir
  readonly #options: MachineOptions
  readonly #output: string[] = []

  static async start(options: MachineOptions): Promise<Machine> {
    if (process.getuid?.() !== 0) throw new Error('Cannot start a machine of its own: root is needed')
    const directory = await makeTempDir('machine')
    const shows = Object.entries(options.shows).map(([name, path]) => `${name}=${path}`)
    const first = spawnTracked(
      'unshare',
      [...NAMESPACES, '--fork', '--kill-child', '--mount-proc', 'bash', ENTER, directory.path, options.root, ...shows],
      { stdio: ['ignore', 'pipe', 'pipe'], env: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' } },
    )
    try {
      await readiness(first)
      const children = await readFile(`/proc/${first.pid}/task/${first.pid}/children`, 'utf8')
      return new Machine(first, Number(children.trim()), directory, options)
    } catch (error) {
      first.child.kill('SIGKILL')
      await first.exit
      await directory[Symbol.asyncDispose]()
      throw error
    }
  }

  private constructor(first: TrackedProcess, pid: number, directory: TempDir, options: MachineOptions) {
    this.#first = first
    this.#pid = pid
    this.#directory = directory
    this.#options = options
  }

  /** What its processes see as `/data`, on this machine. */
  get data(): string {
    return join(this.#directory.path, 'data')
  }

  /** Runs a command to its end; resolves with its standard output, rejects with what it said when it fails. */
  async exec(command: readonly string[], options: ExecOptions = {}): Promise<string> {
    const { code, stdout, stderr } = await this.run(command, options)
    if (code === 0) return stdout
    throw new Error(`${command.join(' ').slice(0, 200)} ended with ${code}:\n${`${stdout}${stderr}`.slice(-4000)}`)
  }

  /** As `exec`, whatever the command ends with. */
  async run(command: readonly string[], { input, onlyNetwork = false }: ExecOptions = {}) {
    const { child, exit } = this.#spawn(command, onlyNetwork ? ['-n'] : NAMESPACES)
    child.stdin?.on('error', () => undefined)
    child.stdin?.end(input ?? '')
    const read = (stream: Readable | null) => (stream === null ? '' : text(stream))
    const [stdout, stderr] = await Promise.all([read(child.stdout), read(child.stderr)])
    return { code: (await exit).code, stdout, stderr }
  }

  /** Starts a server that runs until the machine ends. */
  serve(command: readonly string[]): void {
    const { child } = this.#spawn(command)
    const [name = ''] = command
    child.stdin?.end()
    for (const stream of [child.stdout, child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#note(`${name}: ${line}`))
    }
  }

  /** The last lines that its servers wrote. */
  get output(): string {
    return this.#output.join('\n')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Its first process takes every other one with it, and the mounts go with the last of them.
    this.#first.child.kill('SIGKILL')
    await this.#first.exit
    await removeCgroups('k8s.io')
    await rm(this.#directory.path, { recursive: true, force: true, maxRetries: 20, retryDelay: 250 })
    await this.#directory[Symbol.asyncDispose]()
  }

  #spawn(command: readonly string[], namespaces: readonly string[] = NAMESPACES): TrackedProcess {
    const entered = ['-t', String(this.#pid), ...namespaces, '--', ...command]
    return spawnTracked('nsenter', entered, { stdio: ['pipe', 'pipe', 'pipe'], env: { ...this.#options.env } })
  }

  #note(line: string): void {
    this.#output.push(line)
    if (this.#output.length > 400) this.#output.shift()
  }
}

async function readiness({ child, exit }: TrackedProcess): Promise<void> {
  const lines: string[] = []
  const ready = new Promise<boolean>((resolve) => {
    if (child.stderr) createInterface({ input: child.stderr }).on('line', (line) => lines.push(line))
    if (!child.stdout) return
    createInterface({ input: child.stdout }).on('line', (line) => line === 'ready' && resolve(true))
  })
  if (await Promise.race([ready, exit.then(() => false)])) return
  throw new Error(`Cannot start a machine of its own: ${lines.join(' ') || 'it ended'}`)
}
