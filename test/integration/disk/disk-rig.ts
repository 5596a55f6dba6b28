import { readdirSync, readFileSync } from 'node:fs'
import { symlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect } from 'vitest'
import { spawnTracked } from '../../support/child-process.ts'
import type { EtcdServer } from '../../support/etcd-server.ts'
import { MirrorProcess } from '../../support/mirror-process.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { differences, type Entries } from '../../support/oracle.ts'
import { entriesOf } from '../../support/tree-reader.ts'
import { TreeWatcher } from '../../support/tree-watcher.ts'
import { Volume } from '../../support/volume.ts'
import { eventually } from '../../support/wait.ts'

const COMMAND = join(import.meta.dirname, '../../../dist/bin/etcd-mirror.js')
/** The mirror's own: no key stands there. */
const RESERVED = new Set(['.etcd-mirror', '.revisions', 'current'])

export type LayoutName = 'Snapshot' | 'InPlace'

export interface DiskRigOptions {
  readonly prefix: string
  readonly layout?: LayoutName
  /** Of the tmpfs that is the root; default: the root is a directory like any other. */
  readonly mount?: string
  /** More fields of the mirror. */
  readonly mirror?: Readonly<Record<string, unknown>>
}

/** A mirror whose root is a volume of its own, with the built command and a consumer that reads all the time. */
export class DiskRig implements AsyncDisposable {
  readonly rig: MirrorRig
  readonly layout: LayoutName
  readonly #volume: Volume | undefined
  readonly #cleanUp: AsyncDisposableStack

  static async make(etcd: EtcdServer, options: DiskRigOptions): Promise<DiskRig> {
    const { prefix, layout = 'Snapshot', mount, mirror } = options
    const stack = new AsyncDisposableStack()
    const rig = stack.use(await MirrorRig.make(etcd, { prefix, files: { layout }, ...(mirror && { mirror }) }))
    if (mount === undefined) return new DiskRig(rig, layout, undefined, stack)
    const volume = stack.use(await Volume.at(join(rig.directory, 'volume')))
    await volume.mount(mount)
    // The rig reads its root: that is the volume as this process can reach it.
    await symlink(volume.seenAt, rig.root)
    const safety = { refuseEmpty: false, maxDeletePercent: 100 }
    const target = { files: { root: volume.path, layout } }
    await rig.configure({ mirrors: [{ name: 'app', prefix, target, safety, ...mirror }] })
    return new DiskRig(rig, layout, volume, stack)
  }

  private constructor(rig: MirrorRig, layout: LayoutName, volume: Volume | undefined, cleanUp: AsyncDisposableStack) {
    this.rig = rig
    this.layout = layout
    this.#volume = volume
    this.#cleanUp = cleanUp
  }

  get volume(): Volume {
    if (this.#volume === undefined) throw new Error('The root of this rig is no volume of its own')
    return this.#volume
  }

  /** `etcd-mirror run`, started by the command `by` if one is given; ended at the latest with this. */
  run(by: readonly string[] = []): MirrorProcess {
    const { rig } = this
    const args = [process.execPath, COMMAND, 'run', '--config-dir', rig.configDirectory, '--http-bind', rig.http]
    const [command = process.execPath, ...rest] = [...(this.#volume?.enter ?? []), ...by, ...args]
    const env = { PATH: process.env.PATH }
    return this.#cleanUp.use(new MirrorProcess(spawnTracked(command, rest, { env, stdio: ['ignore', 'pipe', 'pipe'] })))
  }

  /** A consumer, from now on. */
  watch(): Consumer {
    const { root } = this.rig
    return this.#cleanUp.use(this.layout === 'Snapshot' ? new TreeConsumer(this.rig) : new FileConsumer(root, this.rig))
  }

  /** Resolves once the mirror has failed `times` times for that reason and says so; it stays alive. */
  async failing(reason: string, { times = 3 } = {}): Promise<void> {
    await eventually(async () => {
      const { lastError } = await this.rig.status()
      expect(lastError?.reason).toBe(reason)
      expect(await this.rig.metric('etcd_mirror_sync_total', { result: 'error' })).toBeGreaterThanOrEqual(times)
    })
    expect((await this.rig.get('/livez')).status).toBe(200)
  }

  /** What consumers see, by path. */
  files(): ReadonlyMap<string, Buffer> {
    return this.layout === 'Snapshot' ? this.rig.tree().files : filesBelow(this.rig.root)
  }

  async readiness(): Promise<number> {
    return (await this.rig.get('/readyz')).status
  }

  /** Resolves once nothing is wrong any more and the files are what etcd holds. */
  async healed(): Promise<void> {
    const { rig } = this
    const status = await rig.settled()
    expect(status.lastError).toBeNull()
    expect(await this.readiness()).toBe(200)
    const { log } = rig.writer
    expect(differences(entriesOf({ files: this.files() }, rig.prefix), log.state)).toEqual([])
    expect(differences(log.state, await rig.readEtcd(log.lastRevision))).toEqual([])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#cleanUp.disposeAsync()
  }
}

/** How often each complaint was logged: message and code. */
export function complaints({ logs }: MirrorProcess): Readonly<Record<string, number>> {
  const counts: Record<string, number> = {}
  for (const { level, msg, err, mirror } of logs) {
    if (level !== 'warn' && level !== 'error') continue
    const { code } = (err ?? {}) as { code?: string }
    const line = [msg, code, mirror].filter((part) => part !== undefined).join(' | ')
    counts[line] = (counts[line] ?? 0) + 1
  }
  return counts
}

/** Reads the files again and again; `faults` ends that and tells what no consumer should have seen. */
export interface Consumer extends AsyncDisposable {
  faults(): Promise<readonly string[]>
}

class TreeConsumer implements Consumer {
  readonly #watcher: TreeWatcher
  readonly #rig: MirrorRig

  constructor(rig: MirrorRig) {
    this.#rig = rig
    this.#watcher = new TreeWatcher(rig.root)
  }

  async faults(): Promise<readonly string[]> {
    return await this.#watcher.faults(this.#rig.writer.log, this.#rig.prefix)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#watcher[Symbol.asyncDispose]()
  }
}

/** In the layout InPlace each file for itself is old or new, and never goes back. */
class FileConsumer implements Consumer {
  readonly #root: string
  readonly #rig: MirrorRig
  readonly #seen = new Map<string, string[]>()
  readonly #loop: Promise<void>
  #isStopped = false

  constructor(root: string, rig: MirrorRig) {
    this.#root = root
    this.#rig = rig
    this.#loop = this.#watch()
  }

  async faults(): Promise<readonly string[]> {
    await this[Symbol.asyncDispose]()
    const history = historyOf(this.#rig)
    return [...this.#seen].flatMap(([path, values]) => {
      const written = history.get(`${this.#rig.prefix}${path}`) ?? []
      const order = values.map((value) => written.indexOf(value))
      const isForward = order.every((at, index) => at >= 0 && at >= (order[index - 1] ?? 0))
      return isForward ? [] : [`${path} was seen as write ${order.join(', ')} of ${written.length}`]
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    await this.#loop
  }

  async #watch(): Promise<void> {
    while (!this.#isStopped) {
      for (const [path, value] of filesBelow(this.#root)) {
        const values = this.#seen.get(path) ?? []
        const text = value.toString('latin1')
        if (values.at(-1) !== text) this.#seen.set(path, [...values, text])
      }
      await sleep(2)
    }
  }
}

/** What each key was, in order. */
function historyOf({ writer: { log } }: MirrorRig): ReadonlyMap<string, readonly string[]> {
  const history = new Map<string, string[]>()
  let before: Entries = new Map()
  for (let revision = 1; revision <= log.lastRevision; revision += 1) {
    const state = log.stateAt(revision)
    for (const [key, value] of state) {
      if (before.get(key)?.equals(value)) continue
      history.set(key, [...(history.get(key) ?? []), value.toString('latin1')])
    }
    before = state
  }
  return history
}

function filesBelow(directory: string, path = ''): Map<string, Buffer> {
  const files = new Map<string, Buffer>()
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (path === '' && RESERVED.has(entry.name)) continue
    const below = path === '' ? entry.name : `${path}/${entry.name}`
    const full = join(directory, entry.name)
    if (!entry.isDirectory()) files.set(below, readFileSync(full))
    else for (const [name, bytes] of filesBelow(full, below)) files.set(name, bytes)
  }
  return files
}
