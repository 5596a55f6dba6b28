import { mkdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ConfigMapMount } from '../../support/config-map-mount.ts'
import { type EtcdServer, type StartEtcdOptions, startEtcd } from '../../support/etcd-server.ts'
import { type LogLine, type MirrorProcess, startMirror } from '../../support/mirror-process.ts'
import { makeTempDir, type TempDir } from '../../support/temp-dir.ts'
import { eventually } from '../../support/wait.ts'

/** A mirror of mirror.yaml: its name, its prefix, and what else stands there. */
export interface RigMirror {
  readonly prefix: string
  /** Of the files target. */
  readonly files?: Readonly<Record<string, unknown>>
}

/** An etcd, a mounted ConfigMap, and one `etcd-mirror run` after the other. */
export class ReloadRig implements AsyncDisposable {
  readonly etcd: EtcdServer
  readonly config: ConfigMapMount
  readonly #directory: TempDir
  #process: MirrorProcess | undefined

  private constructor(etcd: EtcdServer, directory: TempDir) {
    this.etcd = etcd
    this.#directory = directory
    this.config = new ConfigMapMount(join(directory.path, 'config'))
  }

  static async start(options: Partial<StartEtcdOptions> = {}): Promise<ReloadRig> {
    const [etcd, directory] = await Promise.all([startEtcd({ version: '3.6', ...options }), makeTempDir('reload')])
    const rig = new ReloadRig(etcd, directory)
    await mkdir(rig.config.path)
    return rig
  }

  get process(): MirrorProcess {
    if (this.#process === undefined) throw new Error('No etcd-mirror was started')
    return this.#process
  }

  path(name: string): string {
    return join(this.#directory.path, name)
  }

  root(mirror: string): string {
    return this.path(`copies/${mirror}`)
  }

  etcdConf(extra = ''): string {
    return `endpoints: ["${this.etcd.endpoint}"]\n${extra}`
  }

  mirrorYaml(mirrors: Readonly<Record<string, RigMirror>>, bind = '127.0.0.1:0'): string {
    const list = Object.entries(mirrors).map(([name, { prefix, files }]) => ({
      name,
      prefix,
      target: { files: { root: this.root(name), ...files } },
    }))
    return `${JSON.stringify({ http: { bind }, mirrors: list }, null, 1)}\n`
  }

  /** Mounts mirror.yaml and an etcd.conf for this etcd. */
  async configure(mirrors: Readonly<Record<string, RigMirror>>, bind?: string): Promise<void> {
    await this.config.update({ 'etcd.conf': this.etcdConf(), 'mirror.yaml': this.mirrorYaml(mirrors, bind) })
  }

  /** Starts `etcd-mirror run`; the one before must have ended. */
  run(): MirrorProcess {
    this.#process = startMirror(['run', '--config-dir', this.config.path])
    return this.#process
  }

  /** Resolves once every mirror has published and follows. */
  async runUntilReady(): Promise<void> {
    this.run()
    await this.ready()
  }

  async ready(): Promise<void> {
    await eventually(async () => {
      const { status, body } = await this.get('/readyz?verbose')
      const { mirrors } = await this.status()
      if (status === 200 && mirrors.every(({ phase }) => phase === 'Following')) return
      throw new Error(`Not ready: ${body}\n${this.process.output.slice(-2000)}`)
    })
  }

  async get(path: string): Promise<{ status: number; body: string }> {
    const { port } = await this.process.waitForLog(({ msg }) => msg === 'http server listening')
    const response = await fetch(`http://127.0.0.1:${port}${path}`)
    return { status: response.status, body: await response.text() }
  }

  async status(): Promise<Status> {
    return JSON.parse((await this.get('/status')).body) as Status
  }

  /** The value of one series; undefined = there is none. */
  async metric(series: string): Promise<number | undefined> {
    const lines = (await this.get('/metrics')).body.split('\n')
    const line = lines.find((each) => each.startsWith(`${series} `))
    return line === undefined ? undefined : Number(line.slice(series.length + 1))
  }

  async waitForMetric(series: string, value: number): Promise<void> {
    await eventually(async () => {
      const found = await this.metric(series)
      if (found !== value) throw new Error(`${series} is ${found}, not ${value}`)
    })
  }

  logs(message: string): readonly LogLine[] {
    return this.process.logs.filter(({ msg }) => msg === message)
  }

  /** Resolves with the `nth` line of that message. */
  async waitForLog(message: string, nth = 1): Promise<LogLine> {
    return await this.process.waitForLog((line) => this.logs(message)[nth - 1] === line)
  }

  async put(key: string, value: string, env: Readonly<Record<string, string>> = {}): Promise<void> {
    await this.etcd.etcdctl(['put', key, value], { env })
  }

  /** Resolves once a file of a published copy holds this. */
  async shows(mirror: string, file: string, value: string): Promise<void> {
    await eventually(async () => {
      const content = await readFile(join(this.root(mirror), 'current', file), 'utf8')
      if (content !== value) throw new Error(`${mirror}: ${file} holds ${JSON.stringify(content)}`)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process?.[Symbol.asyncDispose]()
    await this.etcd[Symbol.asyncDispose]()
    await this.#directory[Symbol.asyncDispose]()
  }
}

/** The part of /status that these tests look at. */
export interface Status {
  readonly config: {
    readonly files: readonly string[]
    readonly loadedAt: string
    readonly usesAcceptedCopy: boolean
    readonly lastReload: { readonly result: string; readonly problems: readonly string[] } | null
  }
  readonly mirrors: readonly { readonly name: string; readonly phase: string }[]
}
