import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { type EtcdSeries, ensureEtcd } from '../rig/ensure.mjs'
import { type EtcdServer, startEtcd } from '../support/etcd-server.ts'

/** Small enough that a catch-up is cut into fragments, also in the middle of a revision. */
const STORE_FLAGS = ['--max-request-bytes=2097152']

/** The etcd of a round, as faults see it: one member, or several. */
export interface Store extends AsyncDisposable {
  /** Such as `etcd 3.6`. */
  readonly name: string
  readonly series: EtcdSeries
  /** The server has known defects by which a watch loses events: there the copy has to converge, and no more. */
  readonly losesEvents: boolean
  /** The ports that clients dial, one a member. */
  readonly clientPorts: readonly number[]
  /** etcdctl against the first member that answers. */
  etcdctl(args: readonly string[]): Promise<string>
  /** Crashes every member. */
  kill(): Promise<void>
  /** Starts every member that is not running; resolves once they are healthy. */
  start(): Promise<void>
  /** Members that can be frozen, killed and started one by one. */
  readonly members: readonly EtcdServer[]
  /** Writes a snapshot to a file that does not exist yet; resolves with the revision that stands in it. */
  saveSnapshot(path: string): Promise<number>
  /** Makes the data of a killed store from a snapshot. */
  restoreSnapshot(path: string, flags?: readonly string[]): Promise<void>
}

/** One member alone. */
export async function startSingleStore(series: EtcdSeries): Promise<Store> {
  const server = await startEtcd({ version: series, flags: STORE_FLAGS })
  return {
    name: `etcd ${series}`,
    series,
    losesEvents: series === '3.4',
    clientPorts: [server.clientPort],
    members: [server],
    etcdctl: (args) => server.etcdctl(args),
    kill: () => server.kill(),
    async start() {
      if (!isUp(server)) await server.start()
    },
    restoreSnapshot: (path, flags) => server.restoreSnapshot(path, flags),
    async saveSnapshot(path) {
      await server.saveSnapshot(path)
      return await revisionOf(path, series)
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  }
}

/** What stands in a snapshot, and not what was acknowledged by then: the two may differ. */
export async function revisionOf(path: string, series: EtcdSeries): Promise<number> {
  const { etcdctl, etcdutl } = await ensureEtcd(series)
  const env = { PATH: process.env.PATH, ETCDCTL_API: '3' }
  const program = series === '3.4' ? etcdctl : etcdutl
  const { stdout } = await promisify(execFile)(program, ['snapshot', 'status', path, '-w', 'json'], { env })
  return (JSON.parse(stdout) as { revision: number }).revision
}

function isUp(server: EtcdServer): boolean {
  try {
    return server.pid > 0
  } catch {
    return false
  }
}
