import { cp, rm } from 'node:fs/promises'
import { type EtcdPrograms, ensureEtcd } from '../rig/ensure.mjs'
import { spawnTracked, type TrackedProcess } from './child-process.ts'
import { type EtcdHealth, waitForHealth } from './etcd-health.ts'
import { type EtcdctlOptions, runEtcdctl } from './etcdctl.ts'
import { freePort } from './free-port.ts'
import { makeTempDir, type TempDir } from './temp-dir.ts'
import type { KeyPair } from './tls.ts'

export interface EtcdTls extends KeyPair {
  /** Clients must show a certificate of this CA. */
  readonly clientCa?: string
  /** What `etcdctl` and the health check trust and show. */
  readonly ca: string
  readonly client?: KeyPair
}

export interface StartEtcdOptions {
  readonly version: '3.4' | '3.6'
  /** Win over the flags that the tests use always. */
  readonly flags?: readonly string[]
  /** Start from a copy of this data directory. */
  readonly dataDir?: string
  readonly tls?: EtcdTls
}

const TEST_FLAGS = [
  '--unsafe-no-fsync',
  '--max-request-bytes=33554432',
  '--max-txn-ops=10000',
  '--quota-backend-bytes=8589934592',
  '--log-level=error',
]

/** Starts a one-member etcd on loopback, on ports and in a directory of its own; resolves once it is healthy. */
export async function startEtcd(options: StartEtcdOptions): Promise<EtcdServer> {
  const programs = await ensureEtcd(options.version)
  const directory = await makeTempDir('etcd')
  try {
    if (options.dataDir !== undefined) await cp(options.dataDir, `${directory.path}/data`, { recursive: true })
    const server = new EtcdServer(programs, options, directory, await freePort(), await freePort())
    await server.restart()
    return server
  } catch (error) {
    await directory[Symbol.asyncDispose]()
    throw error
  }
}

/** A running, frozen or killed etcd. Disposing of it ends the process and removes its data. */
export class EtcdServer implements AsyncDisposable {
  /** Full version, such as `3.6.16`. */
  readonly version: string
  readonly clientPort: number
  /** With its scheme; stays the same over restarts. */
  readonly endpoint: string
  readonly dataDir: string
  readonly #programs: EtcdPrograms
  readonly #options: StartEtcdOptions
  readonly #directory: TempDir
  readonly #peerPort: number
  #process: TrackedProcess | undefined

  constructor(
    programs: EtcdPrograms,
    options: StartEtcdOptions,
    directory: TempDir,
    clientPort: number,
    peerPort: number,
  ) {
    this.version = programs.version
    this.clientPort = clientPort
    this.endpoint = `${options.tls ? 'https' : 'http'}://127.0.0.1:${clientPort}`
    this.dataDir = `${directory.path}/data`
    this.#programs = programs
    this.#options = options
    this.#directory = directory
    this.#peerPort = peerPort
  }

  /** Process id; throws when it was killed. */
  get pid(): number {
    if (this.#process === undefined) throw new Error('This etcd is not running')
    return this.#process.pid
  }

  /** Resolves with stdout; rejects with stderr when etcdctl fails. */
  async etcdctl(args: readonly string[], options: EtcdctlOptions = {}): Promise<string> {
    return await runEtcdctl(this.#programs.etcdctl, this.#health(), args, options)
  }

  /** Freezes the process (SIGSTOP): connections stay open and nothing answers. */
  pause(): void {
    process.kill(this.pid, 'SIGSTOP')
  }

  /** Ends a pause (SIGCONT). */
  resume(): void {
    process.kill(this.pid, 'SIGCONT')
  }

  /** Crashes the process (SIGKILL); resolves once it is gone. Does nothing when it is gone already. */
  async kill(): Promise<void> {
    const running = this.#process
    this.#process = undefined
    running?.child.kill('SIGKILL')
    await running?.exit
  }

  /** Starts it again on the same ports and data, killed first when it runs; resolves once it is healthy. */
  async restart(extraFlags: readonly string[] = []): Promise<void> {
    await this.kill()
    const flags = [...this.#flags(), ...TEST_FLAGS, ...(this.#options.flags ?? []), ...extraFlags]
    const started = spawnTracked(this.#programs.etcd, flags, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#process = started
    try {
      await waitForHealth(this.#health(), started)
    } catch (error) {
      await this.kill()
      throw error
    }
  }

  /** Copies the data of a killed etcd to a directory that does not exist yet. */
  async copyDataDir(to: string): Promise<void> {
    this.#assertKilled()
    await cp(this.dataDir, to, { recursive: true, errorOnExist: true, force: false })
  }

  /** Gives a killed etcd a copy of other data, for its next start: a store that goes back in time. */
  async replaceDataDir(from: string): Promise<void> {
    this.#assertKilled()
    await rm(this.dataDir, { recursive: true })
    await cp(from, this.dataDir, { recursive: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await this.#directory[Symbol.asyncDispose]()
  }

  #assertKilled(): void {
    if (this.#process !== undefined) throw new Error('Cannot touch the data of this etcd: it is running')
  }

  #health(): EtcdHealth {
    const { tls } = this.#options
    return tls ? { endpoint: this.endpoint, tls } : { endpoint: this.endpoint }
  }

  #flags(): readonly string[] {
    const { tls } = this.#options
    const peer = `http://127.0.0.1:${this.#peerPort}`
    return [
      '--name=test',
      `--data-dir=${this.dataDir}`,
      `--listen-client-urls=${this.endpoint}`,
      `--advertise-client-urls=${this.endpoint}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=test=${peer}`,
      ...(tls ? [`--cert-file=${tls.cert}`, `--key-file=${tls.key}`] : []),
      ...(tls?.clientCa ? ['--client-cert-auth', `--trusted-ca-file=${tls.clientCa}`] : []),
    ]
  }
}
