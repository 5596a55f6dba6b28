import { execFile } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { KubeClient } from '../../src/kube/kube-client.ts'
import { kubeconfigCredentials } from '../../src/kube/kubeconfig.ts'
import { ensureKubernetes } from '../rig/ensure.mjs'
import { spawnTracked, type TrackedProcess } from './child-process.ts'
import { type EtcdServer, startEtcd } from './etcd-server.ts'
import { freePort } from './free-port.ts'
import { makeTempDir, type TempDir } from './temp-dir.ts'
import { eventually } from './wait.ts'

const exec = promisify(execFile)
const ADMIN = 'admin'
export const NAMESPACES = { group: '', version: 'v1', plural: 'namespaces', kind: 'Namespace' }
const CRDS = join(import.meta.dirname, '../../crds')

export interface StartKubeApiOptions {
  /** Default `1.37`, the newest. */
  readonly minor?: '1.34' | '1.37'
  readonly flags?: readonly string[]
  /** Users beside the administrator; their token is `<user>-token`. */
  readonly users?: readonly string[]
}

/** Starts a kube-apiserver with an etcd of its own, both on loopback; resolves once it is ready. */
export async function startKubeApi(options: StartKubeApiOptions = {}): Promise<KubeApi> {
  const { directory: programs, version } = await ensureKubernetes(options.minor ?? '1.37')
  const directory = await makeTempDir('kube-api')
  try {
    const etcd = await startEtcd({ version: '3.6' })
    const api = new KubeApi({ programs, version, options, directory, etcd, port: await freePort() })
    try {
      await api.prepare()
      await api.restart()
      return api
    } catch (error) {
      await api[Symbol.asyncDispose]()
      throw error
    }
  } catch (error) {
    await directory[Symbol.asyncDispose]()
    throw error
  }
}

interface KubeApiParts {
  readonly programs: string
  readonly version: string
  readonly options: StartKubeApiOptions
  readonly directory: TempDir
  readonly etcd: EtcdServer
  readonly port: number
}

/** A running, frozen or killed kube-apiserver. Disposing of it ends it and its etcd. */
export class KubeApi implements AsyncDisposable {
  readonly #parts: KubeApiParts
  readonly #kubeconfigs = new Map<string, Promise<void>>()
  #process: TrackedProcess | undefined

  constructor(parts: KubeApiParts) {
    this.#parts = parts
  }

  get version(): string {
    return this.#parts.version
  }

  /** Its own etcd, which is none of the mirror's business. */
  get etcd(): EtcdServer {
    return this.#parts.etcd
  }

  get server(): string {
    return `https://127.0.0.1:${this.#parts.port}`
  }

  get port(): number {
    return this.#parts.port
  }

  /** Path of a kubeconfig for a user, default the administrator. `server`: another way to it, such as a proxy. */
  async kubeconfig({
    user = ADMIN,
    namespace = 'default',
    server = this.server,
  }: {
    readonly user?: string
    readonly namespace?: string
    readonly server?: string
  } = {}): Promise<string> {
    const path = this.#path(`${user}-${namespace}-${new URL(server).port}.kubeconfig`)
    const cluster = { server, 'certificate-authority': this.#path('apiserver.crt') }
    const config = {
      apiVersion: 'v1',
      kind: 'Config',
      clusters: [{ name: 'test', cluster }],
      users: [{ name: user, user: { token: `${user}-token` } }],
      contexts: [{ name: 'test', context: { cluster: 'test', user, namespace } }],
      'current-context': 'test',
    }
    // Written once: a kubectl that reads it must not find it empty.
    const written = this.#kubeconfigs.get(path) ?? writeFile(path, JSON.stringify(config))
    this.#kubeconfigs.set(path, written)
    await written
    return path
  }

  /** A client for a user, default the administrator. */
  async client(options: Parameters<KubeApi['kubeconfig']>[0] = {}): Promise<KubeClient> {
    const credentials = await kubeconfigCredentials(await this.kubeconfig(options), () => performance.now())
    return new KubeClient({ credentials, userAgent: 'test' })
  }

  /** Resolves with stdout; rejects with stderr when kubectl fails. */
  async kubectl(args: readonly string[], { input, user }: { input?: string; user?: string } = {}): Promise<string> {
    const { directory } = await ensureKubernetes('1.37')
    const kubeconfig = await this.kubeconfig(user === undefined ? {} : { user })
    const home = this.#parts.directory.path
    const started = exec(join(directory, 'kubectl'), ['--kubeconfig', kubeconfig, '--cache-dir', home, ...args], {
      env: { HOME: home },
      maxBuffer: 64 << 20,
    })
    started.child.stdin?.end(input)
    return (await started).stdout
  }

  /** Creates or changes objects, whatever they are. */
  async apply(items: readonly object[]): Promise<void> {
    await this.kubectl(['apply', '-f', '-'], { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items }) })
  }

  /** Applies crds/ and the given definitions; resolves once their kinds are served. */
  async define(definitions: readonly object[] = []): Promise<void> {
    await this.kubectl(['apply', '-f', CRDS])
    if (definitions.length > 0) await this.apply(definitions)
    await this.kubectl(['wait', '--for=condition=Established', '--timeout=180s', 'crd', '--all'])
  }

  /** Freezes the process (SIGSTOP). */
  pause(): void {
    this.#process?.child.kill('SIGSTOP')
  }

  resume(): void {
    this.#process?.child.kill('SIGCONT')
  }

  /** Crashes the process (SIGKILL); resolves once it is gone. */
  async kill(): Promise<void> {
    const running = this.#process
    this.#process = undefined
    running?.child.kill('SIGKILL')
    await running?.exit
  }

  /** Starts it again on the same port and data, killed first when it runs; resolves once it is ready. */
  async restart(): Promise<void> {
    await this.kill()
    const { programs } = this.#parts
    const started = spawnTracked(join(programs, 'kube-apiserver'), this.#flags(), {
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    let output = ''
    started.child.stderr?.on('data', (chunk) => {
      output = `${output}${chunk}`.slice(-4000)
    })
    this.#process = started
    await eventually(
      async () => {
        if (!started.isRunning) throw new Error(`kube-apiserver ended:\n${output}`)
        const client = await this.client()
        try {
          const signal = AbortSignal.timeout(5000)
          await client.get({ resource: NAMESPACES, namespace: undefined, name: 'default' }, signal).then((found) => {
            if (found === undefined) throw new Error('no namespace default yet')
          })
        } finally {
          await client.close()
        }
        // Before that it refuses users what they may do.
        await this.kubectl(['get', '--raw', '/readyz'])
      },
      { timeoutMs: 200_000, intervalMs: 200 },
    )
  }

  async prepare(): Promise<void> {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    await writeFile(this.#path('sa.key'), privateKey.export({ type: 'pkcs1', format: 'pem' }))
    const users = (this.#parts.options.users ?? []).map((user) => `${user}-token,${user},${user}`)
    await writeFile(
      this.#path('tokens.csv'),
      [`${ADMIN}-token,${ADMIN},${ADMIN},"system:masters"`, ...users].join('\n'),
    )
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
    await this.#parts.etcd[Symbol.asyncDispose]()
    await this.#parts.directory[Symbol.asyncDispose]()
  }

  /** Its certificate, which signs itself and is for 127.0.0.1, and the key: with them others can speak for it. */
  async identity(): Promise<{ readonly cert: string; readonly key: string }> {
    const read = (name: string) => readFile(this.#path(name), 'utf8')
    return { cert: await read('apiserver.crt'), key: await read('apiserver.key') }
  }

  #path(name: string): string {
    return join(this.#parts.directory.path, name)
  }

  #flags(): readonly string[] {
    const { etcd, port, options } = this.#parts
    return [
      `--etcd-servers=${etcd.endpoint}`,
      `--secure-port=${port}`,
      '--bind-address=127.0.0.1',
      `--cert-dir=${this.#parts.directory.path}`,
      '--service-account-issuer=https://kubernetes.default.svc',
      `--service-account-key-file=${this.#path('sa.key')}`,
      `--service-account-signing-key-file=${this.#path('sa.key')}`,
      '--service-cluster-ip-range=10.96.0.0/24',
      '--authorization-mode=RBAC',
      `--token-auth-file=${this.#path('tokens.csv')}`,
      '--disable-admission-plugins=ServiceAccount',
      ...(options.flags ?? []),
    ]
  }
}
