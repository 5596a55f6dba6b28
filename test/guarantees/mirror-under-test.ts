import { existsSync, readdirSync, rmSync } from 'node:fs'
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { MirrorDocument, StatusDocument } from '../../src/server/status-document.ts'
import type { ProcessExit } from '../support/child-process.ts'
import { freePort } from '../support/free-port.ts'
import { type MirrorProcess, startMirror } from '../support/mirror-process.ts'
import { describeSurroundings } from '../support/surroundings.ts'
import { Volume } from '../support/volume.ts'
import { eventually } from '../support/wait.ts'

export const READER_GRACE_MS = 250
/** A third of it is how often the mirror proves that its copy is fresh. */
const MAX_STALENESS = '6s'
/** More than any copy needs. */
export const VOLUME_SIZE = '1g'
/** In the volume. */
const ROOT = 'mirror'
/** Only ends what hangs. */
const START_TIMEOUT_MS = 60_000

export interface MirrorUnderTestOptions {
  /** Of etcd.conf: endpoints and credentials. */
  readonly conf: Readonly<Record<string, unknown>>
  readonly prefix: string
  /** Such as `1h`. */
  readonly verifyEvery: string
}

/** The built command with one mirror, in a directory with things that are nobody's business. */
export class MirrorUnderTest implements AsyncDisposable {
  /** As this process reaches it. */
  readonly root: string
  /** What the root stands on. */
  readonly volume: Volume
  readonly directory: string
  readonly #http: string
  readonly #surroundings: readonly string[]
  #process: MirrorProcess | undefined
  #lastOutput = ''
  readonly #removeAtExit = () => rmSync(this.directory, { recursive: true, force: true, maxRetries: 3 })

  /** Does not start it. */
  static async make(options: MirrorUnderTestOptions): Promise<MirrorUnderTest> {
    const directory = await mkdtemp(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'etcd-mirror-guarantees-'))
    await mkdir(join(directory, 'config'))
    await mkdir(join(directory, 'neighbour'))
    await writeFile(join(directory, 'neighbour/file'), 'of somebody else')
    const volume = await Volume.at(join(directory, 'volume'))
    await volume.mount(`size=${VOLUME_SIZE}`)
    await writeFile(join(directory, 'config/etcd.conf'), JSON.stringify(etcdConf(options)))
    await writeFile(join(directory, 'config/mirror.yaml'), JSON.stringify(mirrorYaml(options, join(volume.path, ROOT))))
    return new MirrorUnderTest(directory, volume, await freePort())
  }

  private constructor(directory: string, volume: Volume, port: number) {
    process.once('exit', this.#removeAtExit)
    this.directory = directory
    this.volume = volume
    this.root = join(volume.seenAt, ROOT)
    this.#http = `127.0.0.1:${port}`
    this.#surroundings = this.#describe()
  }

  get isRunning(): boolean {
    return this.#process !== undefined
  }

  /** Log of the last process. */
  get output(): string {
    return this.#process?.output ?? this.#lastOutput
  }

  /** Names in `.revisions`. */
  get trees(): readonly string[] {
    const directory = join(this.root, '.revisions')
    return existsSync(directory) ? readdirSync(directory) : []
  }

  get surroundings(): { readonly before: readonly string[]; readonly after: readonly string[] } {
    return { before: this.#surroundings, after: this.#describe() }
  }

  /** Does nothing while it runs. */
  start(): void {
    const args = ['run', '--config-dir', join(this.directory, 'config'), '--http-bind', this.#http]
    this.#process ??= startMirror(args, { by: this.volume.enter })
  }

  /** Ends it; for signals that do so. */
  async end(signal: NodeJS.Signals): Promise<ProcessExit | undefined> {
    const ended = this.#process
    this.#process = undefined
    const exit = await ended?.kill(signal)
    this.#lastOutput = ended?.output ?? ''
    return exit
  }

  signal(signal: NodeJS.Signals): void {
    this.#process?.signal(signal)
  }

  /** Rejects while it does not answer. */
  async status(): Promise<MirrorDocument> {
    const response = await fetch(`http://${this.#http}/status`, { signal: AbortSignal.timeout(5000) })
    const [mirror] = ((await response.json()) as StatusDocument).mirrors
    if (mirror === undefined) throw new Error('The status names no mirror')
    return mirror
  }

  /** `status`, once it answers: the process may be starting. */
  async statusOnceUp(): Promise<MirrorDocument> {
    return await eventually(() => this.status(), { timeoutMs: START_TIMEOUT_MS })
  }

  /** Sum over all series of a metric. */
  async metric(name: string): Promise<number> {
    const response = await fetch(`http://${this.#http}/metrics`, { signal: AbortSignal.timeout(5000) })
    const lines = (await response.text()).split('\n').filter((line) => line.startsWith(`${name}{`))
    return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.end('SIGKILL')
    process.off('exit', this.#removeAtExit)
    await this.volume[Symbol.asyncDispose]()
    await rm(this.directory, { recursive: true, force: true, maxRetries: 3 })
  }

  #describe(): readonly string[] {
    return describeSurroundings(this.directory, [])
  }
}

function etcdConf({ conf }: MirrorUnderTestOptions) {
  // The shortest that etcd allows: what is frozen is noticed soon.
  return { ...conf, 'keepalive-time': '5s', 'keepalive-timeout': '1s' }
}

function mirrorYaml({ prefix, verifyEvery }: MirrorUnderTestOptions, root: string) {
  const target = { files: { root, readerGrace: `${READER_GRACE_MS}ms` } }
  // Guards against accidents have tests of their own: here everything is deleted on purpose.
  const safety = { refuseEmpty: false, maxDeletePercent: 100 }
  return { mirrors: [{ name: 'app', prefix, target, safety, verifyEvery, maxStaleness: MAX_STALENESS }] }
}
