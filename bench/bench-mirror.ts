import { mkdirSync, writeFileSync } from 'node:fs'
import { freePort } from '../test/support/free-port.ts'
import { BenchProcess } from './bench-process.ts'
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
  /** `target` instead of files. */
  readonly target?: Readonly<Record<string, unknown>>
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

/** A mirror as users run it, with default options but for the layout. */
export class BenchMirror extends BenchProcess {
  readonly root: string

  static async start(options: BenchMirrorOptions): Promise<BenchMirror> {
    return new BenchMirror(options, await freePort())
  }

  private constructor(options: BenchMirrorOptions, port: number) {
    const { directory, endpoint, prefix, layout, command, nodeOptions, env, files = {}, beside = {} } = options
    const root = `${directory}/root`
    mkdirSync(`${directory}/config`, { recursive: true })
    writeFileSync(`${directory}/config/etcd.conf`, `endpoints: [${endpoint}]\ninsecure-transport: true\n`)
    for (const [name, text] of Object.entries(beside)) writeFileSync(`${directory}/config/${name}`, text)
    const target = options.target ?? { files: { root, layout, ...files } }
    const mirrors = [{ name: PREFIX_OF_MIRROR, prefix, target }]
    writeFileSync(`${directory}/config/mirror.yaml`, JSON.stringify({ mirrors }))
    super({ command, args: ['run', '--config-dir', `${directory}/config`], port, nodeOptions, env })
    this.root = root
  }

  async facts(): Promise<MirrorFacts> {
    const { mirrors } = JSON.parse(await this.get('/status')) as { mirrors: readonly MirrorFacts[] }
    const [facts] = mirrors
    if (facts === undefined) throw new Error('/status names no mirror')
    return facts
  }

  /** Resolves once the mirror itself says that it is at `revision`. */
  async applied(revision: number): Promise<void> {
    await this.until(async () => {
      const { appliedRevision } = await this.facts()
      if (appliedRevision < revision) throw new Error(`revision ${appliedRevision} is applied, not ${revision}`)
    })
  }
}
