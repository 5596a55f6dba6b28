import { EtcdClient, type EtcdClientDependencies } from '../etcd/etcd-client.ts'
import type { EtcdOptions } from '../etcd/options.ts'

/** etcd's gRPC server and the proxies before it allow at least this many streams a connection. */
const STREAMS_PER_CONNECTION = 100

/** The clients that mirrors share, all with the same options: one a hundred mirrors. */
export class ClientPool {
  readonly #etcd: EtcdOptions
  readonly #dependencies: EtcdClientDependencies
  readonly #users = new Map<EtcdClient, number>()

  /** Connects to nothing yet. */
  constructor(etcd: EtcdOptions, dependencies: EtcdClientDependencies) {
    this.#etcd = etcd
    this.#dependencies = dependencies
  }

  /** Makes room for this many mirrors, and for one at least. Rejects with `AuthError` when a TLS file cannot be used. */
  async reserve(mirrors: number): Promise<void> {
    while (this.#users.size === 0 || this.#users.size * STREAMS_PER_CONNECTION < mirrors) {
      this.#users.set(await EtcdClient.open(this.#etcd, this.#dependencies), 0)
    }
  }

  /** The client with the fewest mirrors, for one more. Needs `reserve`. */
  lease(): EtcdClient {
    const [least] = [...this.#users].sort(([, a], [, b]) => a - b)
    if (least === undefined) throw new Error('Cannot lease an etcd client: none was reserved')
    const [client, users] = least
    this.#users.set(client, users + 1)
    return client
  }

  release(client: EtcdClient): void {
    this.#users.set(client, (this.#users.get(client) ?? 1) - 1)
  }

  /** Ends every call and watch. Idempotent. */
  close(): void {
    for (const client of this.#users.keys()) client.close()
  }
}
