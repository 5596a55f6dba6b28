import type { EtcdSeries } from '../rig/ensure.mjs'
import { startEtcd } from '../support/etcd-server.ts'
import { patientEtcdctl } from './patient-etcdctl.ts'
import { snapshotRevision } from './snapshot-revision.ts'
import { isUp, STORE_FLAGS, type Store } from './store.ts'

/** One member alone. */
export async function startSingleStore(series: EtcdSeries): Promise<Store> {
  const server = await startEtcd({ version: series, flags: STORE_FLAGS })
  const etcdctl: Store['etcdctl'] = (args, options) => patientEtcdctl(() => [server], args, options)
  return {
    name: `etcd ${series}`,
    series,
    losesEvents: series === '3.4',
    clientPorts: [server.clientPort],
    members: [server],
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
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}
