import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { spawnTracked } from '../test/support/child-process.ts'
import { MirrorProcess } from '../test/support/mirror-process.ts'

export interface BenchProcessOptions {
  /** The built command. */
  readonly command: string
  /** What it is told, without the port. */
  readonly args: readonly string[]
  /** Free; of its probes and metrics. */
  readonly port: number
  /** Options of Node. */
  readonly nodeOptions?: readonly string[] | undefined
  readonly env?: Readonly<Record<string, string>> | undefined
}

/** The built command as users run it, in a process of its own, and what can be asked over HTTP. Disposing of it kills it. */
export class BenchProcess implements AsyncDisposable {
  readonly pid: number
  /** By the clock of `performance.now()`. */
  readonly startedAt: number
  readonly #process: MirrorProcess
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true })

  constructor({ command, args, port, nodeOptions = [], env = {} }: BenchProcessOptions) {
    this.#port = port
    this.startedAt = performance.now()
    const all = [...nodeOptions, command, ...args, '--http-bind', `127.0.0.1:${port}`]
    const started = spawnTracked(process.execPath, all, {
      env: { PATH: process.env.PATH, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process = new MirrorProcess(started)
    this.pid = started.pid
  }

  /** What it printed. */
  get output(): string {
    return this.#process.output
  }

  /** Resolves with the milliseconds that a GET took; rejects when it is not answered or the answer is no 200. */
  async probe(path: string): Promise<number> {
    const started = performance.now()
    await this.get(path)
    return performance.now() - started
  }

  /** Sum over the series of a metric that hold every given label; 0 when there is none. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    const lines = (await this.get('/metrics'))
      .split('\n')
      .filter((line) => line.startsWith(`${name}{`) && wanted.every((label) => line.includes(label)))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** Resolves once `/readyz` says yes. */
  async ready(): Promise<void> {
    await this.until(async () => await this.probe('/readyz'))
  }

  /** Tries every 5 ms until `check` resolves. */
  async until(check: () => Promise<unknown>, timeoutMs = 120_000): Promise<void> {
    for (const deadline = performance.now() + timeoutMs; ; await sleep(5)) {
      try {
        await check()
        return
      } catch (error) {
        if (performance.now() > deadline) throw new Error(`${String(error)}; the process said:\n${this.#tail()}`)
      }
    }
  }

  signal(signal: NodeJS.Signals): void {
    this.#process.signal(signal)
  }

  /** Ends it as Kubernetes does. */
  async stop(): Promise<void> {
    this.#agent.destroy()
    const { code } = await this.#process.kill('SIGTERM')
    if (code !== 0) throw new Error(`The process ended with exit code ${code}:\n${this.#tail()}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    await this.#process.kill('SIGKILL')
  }

  get(path: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const request = get({ host: '127.0.0.1', port: this.#port, path, agent: this.#agent, timeout: 5000 })
      request.on('timeout', () => request.destroy(new Error(`GET ${path} timed out`)))
      request.on('error', reject)
      request.on('response', (response) => {
        let body = ''
        response.setEncoding('utf8')
        response.on('data', (chunk: string) => {
          body += chunk
        })
        response.on('end', () =>
          response.statusCode === 200 ? resolve(body) : reject(new Error(`GET ${path}: ${response.statusCode}`)),
        )
      })
    })
  }

  #tail(): string {
    return this.output.slice(-4000)
  }
}
