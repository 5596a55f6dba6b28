import { existsSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import type { MirrorDocument, StatusDocument } from '../../src/server/status-document.ts'
import { readEtcd } from './etcd-reader.ts'
import type { EtcdEndpoint } from './etcd-server.ts'
import { freePort } from './free-port.ts'
import { type MirrorProcess, startMirror } from './mirror-process.ts'
import { differences } from './oracle.ts'
import { describeSurroundings } from './surroundings.ts'
import { entriesOf, readTree, type Tree } from './tree-reader.ts'
import { eventually } from './wait.ts'
import { Writer } from './writer.ts'

export interface MirrorRigOptions {
  /** Default `/app/`. */
  readonly prefix?: string
  /** What the mirror connects to; default: etcd itself. */
  readonly endpoint?: string | readonly string[]
  /** More keys of etcd.conf. */
  readonly conf?: Readonly<Record<string, unknown>>
  /** More fields of the mirror. */
  readonly mirror?: Readonly<Record<string, unknown>>
  /** More fields of `target.files`. */
  readonly files?: Readonly<Record<string, unknown>>
}

/**
 * One mirror of one prefix as a user sets it up: a directory with etcd.conf and mirror.yaml, the built command, its HTTP
 * port, and a writer. Disposing of it fails when anything beside the mirror's root has changed.
 */
export class MirrorRig implements AsyncDisposable {
  readonly etcd: EtcdEndpoint
  readonly prefix: string
  readonly writer: Writer
  /** Holds the root, the configuration and things that are nobody's business. */
  readonly directory: string
  readonly root: string
  readonly http: string
  readonly #options: MirrorRigOptions
  readonly #processes: MirrorProcess[] = []
  #surroundings: readonly string[] = []

  static async make(etcd: EtcdEndpoint, options: MirrorRigOptions = {}): Promise<MirrorRig> {
    const writer = await Writer.open(etcd.endpoint, options.prefix ?? '/app/')
    const base = existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
    const directory = await mkdtemp(join(base, 'etcd-mirror-rig-'))
    await mkdir(join(directory, 'neighbour'))
    await writeFile(join(directory, 'neighbour/file'), 'of somebody else')
    const rig = new MirrorRig({ etcd, options, writer, directory, port: await freePort() })
    await rig.configure()
    return rig
  }

  private constructor(parts: {
    etcd: EtcdEndpoint
    options: MirrorRigOptions
    writer: Writer
    directory: string
    port: number
  }) {
    this.etcd = parts.etcd
    this.#options = parts.options
    this.writer = parts.writer
    this.prefix = parts.writer.prefix
    this.directory = parts.directory
    this.root = join(parts.directory, 'mirror')
    this.http = `127.0.0.1:${parts.port}`
  }

  get configDirectory(): string {
    return join(this.directory, 'config')
  }

  /** Writes etcd.conf and mirror.yaml anew, with what is given over what the rig was made with. */
  async configure({ conf, mirrors }: { conf?: Readonly<Record<string, unknown>>; mirrors?: unknown } = {}) {
    const { endpoint = this.etcd.endpoint, conf: more, mirror, files } = this.#options
    await mkdir(this.configDirectory, { recursive: true })
    const target = { files: { root: this.root, ...files } }
    // Guards against accidents have tests of their own: here everything is deleted on purpose.
    const safety = { refuseEmpty: false, maxDeletePercent: 100 }
    await this.writeConfig('etcd.conf', { endpoints: [endpoint].flat(), ...more, ...conf })
    await this.writeConfig('mirror.yaml', {
      mirrors: mirrors ?? [{ name: 'app', prefix: this.prefix, target, safety, ...mirror }],
    })
  }

  /** A file of the configuration's directory; objects as JSON, which YAML holds. Resolves with its path. */
  async writeConfig(name: string, content: unknown): Promise<string> {
    const path = join(this.configDirectory, name)
    await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content))
    await chmod(path, 0o600)
    this.#lookAround()
    return path
  }

  /** `etcd-mirror run`, ended at the latest with the rig. */
  run(args: readonly string[] = []): MirrorProcess {
    return this.command('run', ['--http-bind', this.http, ...args])
  }

  /** Runs until the first copy is there; resolves with the exit code and what was printed. */
  async runOnce(args: readonly string[] = []): Promise<{ code: number | null; output: string }> {
    return await this.result(this.command('run', ['--one-time', ...args]))
  }

  /** `etcd-mirror check`. */
  async check(): Promise<{ code: number | null; output: string }> {
    return await this.result(this.command('check', []))
  }

  command(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): MirrorProcess {
    const started = startMirror([name, '--config-dir', this.configDirectory, ...args], { env })
    this.#processes.push(started)
    return started
  }

  async result(mirror: MirrorProcess): Promise<{ code: number | null; output: string }> {
    const { code } = await mirror.exit
    return { code, output: mirror.output }
  }

  /** An HTTP endpoint of the running mirror, such as `/readyz`. */
  async get(path: string, headers = {}): Promise<{ status: number; type: string | null; body: string }> {
    const response = await fetch(`http://${this.http}${path}`, { headers })
    return { status: response.status, type: response.headers.get('content-type'), body: await response.text() }
  }

  async status(name = 'app'): Promise<MirrorDocument> {
    const { body } = await this.get('/status')
    const found = (JSON.parse(body) as StatusDocument).mirrors.find((mirror) => mirror.name === name)
    if (found === undefined) throw new Error(`No mirror ${name} in ${body}`)
    return found
  }

  /** Sum over the series of a metric that hold every given label. */
  async metric(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number> {
    const { body } = await this.get('/metrics')
    const wanted = Object.entries(labels).map(([label, value]) => `${label}="${value}"`)
    const lines = body.split('\n').filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    if (lines.length === 0) throw new Error(`No metric ${name}`)
    const series = lines.filter((line) => wanted.every((label) => line.includes(label)))
    return series.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  /** Resolves once the mirror says that its copy is complete up to the writer's last revision. */
  async settled({ timeoutMs = 150_000 } = {}): Promise<MirrorDocument> {
    return await eventually(
      async () => {
        const status = await this.status()
        expect(status.published, JSON.stringify(status)).toBe(true)
        expect(status.appliedRevision, JSON.stringify(status)).toBeGreaterThanOrEqual(this.writer.log.lastRevision)
        return status
      },
      { timeoutMs },
    )
  }

  /** Resolves once some pages of a snapshot were read; for that the connection must be slow. */
  async inSnapshot(): Promise<void> {
    await eventually(async () => {
      expect((await this.status()).phase).toBe('Snapshotting')
      expect(await this.metric('etcd_mirror_etcd_requests_total', { method: 'range', result: 'ok' })).toBeGreaterThan(2)
    })
  }

  /** The tree that consumers see; throws when nothing is published. */
  tree(): Tree {
    const tree = readTree(this.root)
    if (tree === undefined) throw new Error('Nothing is published')
    return tree
  }

  /** The published tree is what the writer wrote, all of it, and what etcd holds at the revision of its name. */
  async expectCopy(): Promise<Tree> {
    const tree = this.expectWritten()
    expect(differences(entriesOf(tree, this.prefix), await this.readEtcd(tree.revision))).toEqual([])
    expect(tree.emptyDirectories).toEqual([])
    return tree
  }

  /** The published tree is what the writer wrote, all of it, at the revision of its name and now. */
  expectWritten(): Tree {
    const { log } = this.writer
    const tree = this.tree()
    const entries = entriesOf(tree, this.prefix)
    expect(differences(entries, log.stateAt(tree.revision))).toEqual([])
    expect(differences(entries, log.state)).toEqual([])
    return tree
  }

  /** `settled`, then `expectCopy`. */
  async expectSettledCopy(options: { timeoutMs?: number } = {}): Promise<Tree> {
    const status = await this.settled(options)
    const tree = await this.expectCopy()
    expect(status.publishedRevision).toBe(tree.revision)
    return tree
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const mirror of this.#processes) await mirror[Symbol.asyncDispose]()
    this.writer[Symbol.dispose]()
    const now = this.#describe()
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 })
    expect(now, 'beside the root of the mirror').toEqual(this.#surroundings)
  }

  /** To be called after a test itself has changed something beside the root. */
  acceptSurroundings(): void {
    this.#lookAround()
  }

  async readEtcd(revision: number) {
    try {
      return await readEtcd(this.etcd, this.prefix, { revision })
    } catch (error) {
      // What was compacted can only be compared with what etcd holds now.
      if (!String(error).includes('compacted')) throw error
      return await readEtcd(this.etcd, this.prefix)
    }
  }

  #lookAround(): void {
    this.#surroundings = this.#describe()
  }

  #describe(): readonly string[] {
    return describeSurroundings(this.directory, [this.root])
  }
}
