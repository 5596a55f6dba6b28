import type { EtcdSeries } from '../rig/ensure.mjs'
import type { EtcdServer } from '../support/etcd-server.ts'
import type { EtcdctlOptions } from '../support/etcdctl.ts'
import type { Certificates } from './certificates.ts'
import type { ClusterStore } from './cluster-store.ts'

/** The etcd of a round, as faults see it: one member, or several. */
export interface Store extends AsyncDisposable {
  /** Such as `etcd 3.6`. */
  readonly name: string
  readonly series: EtcdSeries
  /** The server has known defects by which a watch loses events: there the copy has to converge, and no more. */
  readonly losesEvents: boolean
  /** The ports that clients dial; they stay the same, whatever members come and go behind them. */
  readonly clientPorts: readonly number[]
  /** Members that can be frozen, killed and started one by one. */
  readonly members: readonly EtcdServer[]
  /** undefined = without TLS. */
  readonly certificates: Certificates | undefined
  /** undefined = one member alone. */
  readonly cluster: ClusterStore | undefined
  /** etcdctl against the first member that answers, tried until one does. What was done before counts as done. */
  etcdctl(args: readonly string[], options?: EtcdctlOptions): Promise<string>
  /** Crashes every member. */
  kill(): Promise<void>
  /** Starts every member that is not running; resolves once they are healthy. */
  start(): Promise<void>
  /** Writes a snapshot to a file that does not exist yet; resolves with the revision that stands in it. */
  saveSnapshot(path: string): Promise<number>
  /** Kills what runs, makes the data of every member from a snapshot, and starts them all. */
  restoreSnapshot(path: string, flags?: readonly string[]): Promise<void>
}

/** How long a token lives without being used. */
const TOKEN_SECONDS = 3

/** Requests small enough that a catch-up is cut into fragments, also in the middle of a revision; cheap passwords. */
export const STORE_FLAGS = ['--max-request-bytes=2097152', `--auth-token-ttl=${TOKEN_SECONDS}`, '--bcrypt-cost=4']

export function isUp(server: EtcdServer): boolean {
  try {
    return server.pid > 0
  } catch {
    return false
  }
}
