import type { ClientPool } from '../assemble/client-pool.ts'
import type { EtcdClient } from '../etcd/etcd-client.ts'
import type { EtcdOptions } from '../etcd/options.ts'

/** The clients of one connection, shared by its mirrors; closed when it is replaced and the last of them has let go. */
export class SharedConnection {
  readonly etcd: EtcdOptions
  readonly #pool: ClientPool
  #users = 0
  #isRetired = false

  constructor(etcd: EtcdOptions, pool: ClientPool) {
    this.etcd = etcd
    this.#pool = pool
  }

  /** A client for one more user. Rejects with `AuthError` when the credentials cannot be used. */
  async lease(): Promise<EtcdClient> {
    this.#users += 1
    try {
      await this.#pool.reserve(this.#users)
      return this.#pool.lease()
    } catch (error) {
      this.#users -= 1
      throw error
    }
  }

  release(client: EtcdClient): void {
    this.#pool.release(client)
    this.#users -= 1
    this.#closeIfUnused()
  }

  /** Nobody will lease any more. */
  retire(): void {
    this.#isRetired = true
    this.#closeIfUnused()
  }

  #closeIfUnused(): void {
    if (this.#isRetired && this.#users === 0) this.#pool.close()
  }
}
