import { execFile } from 'node:child_process'
import { cp, rm } from 'node:fs/promises'
import { promisify } from 'node:util'
import { type EtcdPrograms, type EtcdSeries, ensureEtcd } from '../rig/ensure.mjs'
import { spawnTracked, type TrackedProcess } from './child-process.ts'
import { TEST_FLAGS } from './etcd-flags.ts'
import { type EtcdHealth, waitForHealth } from './etcd-health.ts'
import { type EtcdctlOptions, runEtcdctl } from './etcdctl.ts'
import { freePort } from './free-port.ts'
import { stopProcess } from './stop-process.ts'
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
  readonly version: EtcdSeries
  /** Win over the flags that the tests use always. */
  readonly flags?: readonly string[]
  /** Start from a copy of this data directory. */
  readonly dataDir?: string
  readonly tls?: EtcdTls
}

/** One part of an etcd that several may be told of. */
export interface EtcdEndpoint {
  readonly endpoint: string
  etcdctl(args: readonly string[], options?: EtcdctlOptions): Promise<string>
}

/** What a member of a larger cluster is told of it. */
export interface Membership {
  readonly name: string
  /** What the other members are told to dial. */
  readonly peerUrl: string
  /** `name=url,…` of all members. */
  readonly initialCluster: string
  readonly state: 'new' | 'existing'
}

/** Starts a one-member etcd on loopback, on ports and in a directory of its own; resolves once it is healthy. */
export async function startEtcd(options: StartEtcdOptions): Promise<EtcdServer> {
  const programs = await ensureEtcd(options.version)
  const directory = await makeTempDir('etcd')
  try {
    if (options.dataDir !== undefined) await cp(options.dataDir, `${directory.path}/data`, { recursive: true })
    const ports = { client: await freePort(), peer: await freePort() }
    const server = new EtcdServer(programs, options, directory, ports)
    await server.restart()
    return server
  } catch (error) {
    await directory[Symbol.asyncDispose]()
    throw error
  }
}

/** A running, frozen or killed etcd. Disposing of it ends the process and removes its data. */
export class EtcdServer implements EtcdEndpoint, AsyncDisposable {
  /** Full version, such as `3.6.16`. */
  readonly version: string
  readonly clientPort: number
  /** With its scheme; stays the same over restarts. */
  readonly endpoint: string
  readonly dataDir: string
  readonly peerPort: number
  readonly #options: StartEtcdOptions
  readonly #directory: TempDir
  readonly #membership: Membership
  #programs: EtcdPrograms
  #process: TrackedProcess | undefined

  constructor(
    programs: EtcdPrograms,
    options: StartEtcdOptions,
    directory: TempDir,
    ports: { readonly client: number; readonly peer: number },
    membership?: Membership,
  ) {
    const peerUrl = `http://127.0.0.1:${ports.peer}`
    this.version = programs.version
    this.clientPort = ports.client
    this.peerPort = ports.peer
    this.endpoint = `${options.tls ? 'https' : 'http'}://127.0.0.1:${ports.client}`
    this.dataDir = `${directory.path}/data`
    this.#programs = programs
    this.#options = options
    this.#directory = directory
    this.#membership = membership ?? { name: 'test', peerUrl, initialCluster: `test=${peerUrl}`, state: 'new' }
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
    stopProcess(this.pid)
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
    await this.start(extraFlags)
  }

  /** Starts it, as `restart` does, unless it runs. */
  async start(extraFlags: readonly string[] = []): Promise<void> {
    this.#assertKilled()
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

  /** The next start is of that release: an upgrade, or a downgrade. */
  async useVersion(series: EtcdSeries): Promise<void> {
    this.#programs = await ensureEtcd(series)
  }

  /** Writes a snapshot of the running etcd to a file that does not exist yet. */
  async saveSnapshot(path: string): Promise<void> {
    await this.etcdctl(['snapshot', 'save', path])
  }

  /** Makes the data of a killed etcd from a snapshot, as an operator does; `flags` such as `--bump-revision=1000`. */
  async restoreSnapshot(path: string, flags: readonly string[] = []): Promise<void> {
    this.#assertKilled()
    const { etcdctl, etcdutl, version } = this.#programs
    const { name, peerUrl, initialCluster } = this.#membership
    await rm(this.dataDir, { recursive: true, force: true })
    const args = [
      ...['snapshot', 'restore', path, `--name=${name}`, `--data-dir=${this.dataDir}`],
      ...[`--initial-cluster=${initialCluster}`, `--initial-advertise-peer-urls=${peerUrl}`],
    ]
    const program = version.startsWith('3.4.') ? etcdctl : etcdutl
    await promisify(execFile)(program, [...args, ...flags], { env: { PATH: process.env.PATH, ETCDCTL_API: '3' } })
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
    if (this.#process !== undefined) throw new Error('Cannot do that to this etcd: it is running')
  }

  #health(): EtcdHealth {
    const { tls } = this.#options
    return tls ? { endpoint: this.endpoint, tls } : { endpoint: this.endpoint }
  }

  #flags(): readonly string[] {
    const { tls } = this.#options
    const { name, peerUrl, initialCluster, state } = this.#membership
    return [
      `--name=${name}`,
      `--data-dir=${this.dataDir}`,
      `--listen-client-urls=${this.endpoint}`,
      `--advertise-client-urls=${this.endpoint}`,
      `--listen-peer-urls=http://127.0.0.1:${this.peerPort}`,
      `--initial-advertise-peer-urls=${peerUrl}`,
      `--initial-cluster=${initialCluster}`,
      `--initial-cluster-state=${state}`,
      ...(tls ? [`--cert-file=${tls.cert}`, `--key-file=${tls.key}`] : []),
      ...(tls?.clientCa ? ['--client-cert-auth', `--trusted-ca-file=${tls.clientCa}`] : []),
    ]
  }
}
