import type { EtcdSeries } from '../rig/ensure.mjs'
import { startEtcd } from '../support/etcd-server.ts'
import type { Certificates } from './certificates.ts'
import { patientEtcdctl } from './patient-etcdctl.ts'
import { snapshotRevision } from './snapshot-revision.ts'
import { isUp, STORE_FLAGS, type Store } from './store.ts'

/** One member alone, without TLS unless certificates are given; they are disposed of with it. */
export async function startSingleStore(series: EtcdSeries, certificates?: Certificates): Promise<Store> {
  const tls = certificates && { tls: certificates.server }
  const server = await startEtcd({ version: series, flags: STORE_FLAGS, ...tls })
  const etcdctl: Store['etcdctl'] = (args, options) => patientEtcdctl(() => [server], args, options)
  return {
    name: certificates ? `etcd ${series} with TLS` : `etcd ${series}`,
    series,
    losesEvents: series === '3.4',
    clientPorts: [server.clientPort],
    members: [server],
    certificates,
    cluster: undefined,
    etcdctl,
    kill: () => server.kill(),
    async start() {
      if (!isUp(server)) await server.start()
    },
    async restoreSnapshot(path, flags) {
      await server.kill()
      await server.restoreSnapshot(path, flags)
      await server.start()
    },
    async saveSnapshot(path) {
      await etcdctl(['snapshot', 'save', path])
      return await snapshotRevision(path, series)
    },
    async [Symbol.asyncDispose]() {
      await server[Symbol.asyncDispose]()
      await certificates?.[Symbol.asyncDispose]()
    },
  }
}
