import { mkdirSync } from 'node:fs'
import { Etcd3 } from 'etcd3'
import { type EtcdServer, startEtcd } from '../test/support/etcd-server.ts'
import { BenchMirror, type BenchMirrorOptions } from './bench-mirror.ts'
import { type DataSet, load } from './data-set.ts'
import type { Layout } from './published-tree.ts'
import type { Row } from './row.ts'

/** tmpfs is what is judged: a disk's own state (see docs/benchmarks.md) decides what a run on it costs. */
export type Store = 'tmpfs' | 'disk'

export interface Scenario {
  readonly name: string
  run(context: BenchContext): Promise<readonly Row[]>
}

export interface BenchOptions {
  readonly command: string
  readonly etcdctl: string
  readonly layout: Layout
  /** Small numbers: to try the harness, not to judge. */
  readonly quick: boolean
  /** Existing directories; nothing below them is removed before the end. */
  readonly scratch: Readonly<Record<Store, string>>
}

/** A client and a server that hold data sets. */
export interface LoadedEtcd extends AsyncDisposable {
  readonly endpoint: string
  readonly client: Etcd3
}

/** What every scenario needs. */
export class BenchContext {
  readonly command: string
  readonly etcdctl: string
  readonly layout: Layout
  readonly quick: boolean
  readonly #scratch: Readonly<Record<Store, string>>
  #directories = 0

  constructor({ command, etcdctl, layout, quick, scratch }: BenchOptions) {
    this.command = command
    this.etcdctl = etcdctl
    this.layout = layout
    this.quick = quick
    this.#scratch = scratch
  }

  /** The number for a full run, or the one for a quick one. */
  size(full: number, quick: number): number {
    return this.quick ? quick : full
  }

  /** A path that nothing stands at; its parent exists. */
  newPath(store: Store): string {
    this.#directories += 1
    return `${this.#scratch[store]}/${this.#directories}`
  }

  newDirectory(store: Store): string {
    const path = this.newPath(store)
    mkdirSync(path)
    return path
  }

  /** An etcd of its own, with these keys. */
  async etcdWith(...sets: readonly DataSet[]): Promise<LoadedEtcd> {
    const server: EtcdServer = await startEtcd({ version: '3.6' })
    const client = new Etcd3({ hosts: [server.endpoint] })
    for (const set of sets) await load(client, set)
    return {
      endpoint: server.endpoint,
      client,
      async [Symbol.asyncDispose]() {
        client.close()
        await server[Symbol.asyncDispose]()
      },
    }
  }

  async startMirror(
    { endpoint }: LoadedEtcd,
    { prefix }: DataSet,
    directory: string,
    more?: Pick<BenchMirrorOptions, 'nodeOptions' | 'env' | 'files' | 'target' | 'beside'>,
  ): Promise<BenchMirror> {
    const { command, layout } = this
    return await BenchMirror.start({ command, layout, endpoint, prefix, directory, ...more })
  }
}
