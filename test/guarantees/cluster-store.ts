import type { EtcdSeries } from '../rig/ensure.mjs'
import { type EtcdCluster, type Member, startCluster } from '../support/etcd-cluster.ts'
import type { EtcdServer } from '../support/etcd-server.ts'
import type { EtcdctlOptions } from '../support/etcdctl.ts'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'
import { patientEtcdctl } from './patient-etcdctl.ts'
import { snapshotRevision } from './snapshot-revision.ts'
import { isUp, STORE_FLAGS, type Store } from './store.ts'

export async function startClusterStore(series: EtcdSeries): Promise<ClusterStore> {
  const cluster = await startCluster({ version: series, flags: STORE_FLAGS })
  const fronts = await Promise.all(cluster.members.map(({ server }) => startTcpProxy(server.clientPort)))
  return new ClusterStore(series, cluster, fronts)
}

/** Three members. Clients dial fixed ports, each of which leads to one member, or to whoever took its place. */
export class ClusterStore implements Store {
  readonly series: EtcdSeries
  readonly etcds: EtcdCluster
  readonly certificates = undefined
  readonly #fronts: readonly TcpProxy[]

  constructor(series: EtcdSeries, cluster: EtcdCluster, fronts: readonly TcpProxy[]) {
    this.series = series
    this.etcds = cluster
    this.#fronts = fronts
  }

  get name(): string {
    return `a cluster of etcd ${this.series}`
  }

  get losesEvents(): boolean {
    return this.series === '3.4'
  }

  get clientPorts(): readonly number[] {
    return this.#fronts.map(({ port }) => port)
  }

  get members(): readonly EtcdServer[] {
    return this.etcds.members.map(({ server }) => server)
  }

  get cluster(): ClusterStore {
    return this
  }

  /** Resolves once every port leads to a member of its own again. */
  relink(): void {
    const ports = this.members.map(({ clientPort }) => clientPort)
    for (const [index, front] of this.#fronts.entries()) {
      const port = ports[index] ?? ports[0]
      if (port !== undefined) front.retarget(port)
    }
  }

  async etcdctl(args: readonly string[], options: EtcdctlOptions = {}): Promise<string> {
    return await patientEtcdctl(() => this.members, args, options)
  }

  async kill(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()))
  }

  async start(): Promise<void> {
    await Promise.all(this.members.filter((member) => !isUp(member)).map((member) => member.start()))
  }

  async saveSnapshot(path: string): Promise<number> {
    await this.etcdctl(['snapshot', 'save', path])
    return await snapshotRevision(path, this.series)
  }

  async restoreSnapshot(path: string, flags: readonly string[] = []): Promise<void> {
    await this.etcds.restoreSnapshot(path, flags)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#fronts.map((front) => front[Symbol.asyncDispose]()))
    await this.etcds[Symbol.asyncDispose]()
  }
}

/** What a member itself holds, however far behind it is. */
export async function localRevision({ server }: Member): Promise<number> {
  const output = await server.etcdctl(['get', '/none', '--consistency=s', '-w', 'json'])
  return (JSON.parse(output) as { header: { revision: number } }).header.revision
}
