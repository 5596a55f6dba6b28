import { mkdirSync, writeFileSync } from 'node:fs'
import { Agent, get } from 'node:http'
import { setTimeout as sleep } from 'node:timers/promises'
import { spawnTracked } from '../test/support/child-process.ts'
import { freePort } from '../test/support/free-port.ts'
import { MirrorProcess } from '../test/support/mirror-process.ts'
import type { Layout } from './published-tree.ts'

const PREFIX_OF_MIRROR = 'bench'

export interface BenchMirrorOptions {
  /** The built command. */
  readonly command: string
  readonly endpoint: string
  readonly prefix: string
  /** Gets the configuration and, below it, the root. Must not exist, or be one that an earlier mirror had. */
  readonly directory: string
  readonly layout: Layout
  /** Options of Node. */
  readonly nodeOptions?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  /** More fields of `target.files`. */
  readonly files?: Readonly<Record<string, unknown>>
  /** Files beside mirror.yaml, by name. */
  readonly beside?: Readonly<Record<string, string>>
}

/** The part of `/status` that is of interest here. */
export interface MirrorFacts {
  readonly published: boolean
  readonly appliedRevision: number
  readonly keys: number
  readonly keyErrors: { readonly count: number }
}

/** A mirror as users run it: the built command in a process of its own, default options but for the layout. */
export class BenchMirror implements AsyncDisposable {
  readonly root: string
  readonly pid: number
  /** By the clock of `performance.now()`. */
  readonly startedAt: number
  readonly #process: MirrorProcess
  readonly #port: number
  readonly #agent = new Agent({ keepAlive: true })

  static async start(options: BenchMirrorOptions): Promise<BenchMirror> {
    return new BenchMirror(options, await freePort())
  }

  private constructor(options: BenchMirrorOptions, port: number) {
    const {
      directory,
      endpoint,
      prefix,
      layout,
      command,
      nodeOptions = [],
      env = {},
      files = {},
      beside = {},
    } = options
    this.root = `${directory}/root`
    this.#port = port
    mkdirSync(`${directory}/config`, { recursive: true })
    writeFileSync(`${directory}/config/etcd.conf`, `endpoints: [${endpoint}]\ninsecure-transport: true\n`)
    for (const [name, text] of Object.entries(beside)) writeFileSync(`${directory}/config/${name}`, text)
    const target = `target: { files: ${JSON.stringify({ root: this.root, layout, ...files })} }`
    const mirror = `mirrors:\n  - name: ${PREFIX_OF_MIRROR}\n    prefix: ${prefix}\n    ${target}\n`
    writeFileSync(`${directory}/config/mirror.yaml`, mirror)
    const args = ['run', '--config-dir', `${directory}/config`, '--http-bind', `127.0.0.1:${port}`]
    this.startedAt = performance.now()
    const started = spawnTracked(process.execPath, [...nodeOptions, command, ...args], {
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
    await this.#get(path)
    return performance.now() - started
  }

  async facts(): Promise<MirrorFacts> {
    const { mirrors } = JSON.parse(await this.#get('/status')) as { mirrors: readonly MirrorFacts[] }
    const [facts] = mirrors
    if (facts === undefined) throw new Error('/status names no mirror')
    return facts
  }

  /** Sum over the series of a metric; 0 when there is none. */
  async metric(name: string): Promise<number> {
    const lines = (await this.#get('/metrics')).split('\n').filter((line) => line.startsWith(`${name}{`))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** Resolves once `/readyz` says yes. */
  async ready(): Promise<void> {
    await this.until(async () => await this.probe('/readyz'))
  }

  /** Resolves once the mirror itself says that it is at `revision`. */
  async applied(revision: number): Promise<void> {
    await this.until(async () => {
      const { appliedRevision } = await this.facts()
      if (appliedRevision < revision) throw new Error(`revision ${appliedRevision} is applied, not ${revision}`)
    })
  }

  /** Tries every 5 ms until `check` resolves. */
  async until(check: () => Promise<unknown>, timeoutMs = 120_000): Promise<void> {
    for (const deadline = performance.now() + timeoutMs; ; await sleep(5)) {
      try {
        await check()
        return
      } catch (error) {
        if (performance.now() > deadline) throw new Error(`${String(error)}; the mirror said:\n${this.output}`)
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
    if (code !== 0) throw new Error(`The mirror ended with exit code ${code}:\n${this.output}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#agent.destroy()
    await this.#process.kill('SIGKILL')
  }

  #get(path: string): Promise<string> {
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
}
