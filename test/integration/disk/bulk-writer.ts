import { EtcdClient } from '../../../src/etcd/etcd-client.ts'
import { etcdConfSchema, resolveEtcdOptions } from '../../../src/etcd/options.ts'

const KEYS_PER_TXN = 10_000
const PARALLEL = 2
const OPTIONS = { signal: new AbortController().signal, timeoutMs: 60_000 }

/** Writes very many keys under one prefix and keeps no record of them. */
export class BulkWriter implements Disposable {
  readonly #prefix: string
  readonly #client: EtcdClient

  static async open(endpoint: string, prefix: string): Promise<BulkWriter> {
    const { options } = resolveEtcdOptions(etcdConfSchema.parse({ endpoints: [endpoint] }))
    if (options === undefined) throw new Error(`Cannot use the endpoint ${endpoint}`)
    return new BulkWriter(prefix, await EtcdClient.open(options))
  }

  private constructor(prefix: string, client: EtcdClient) {
    this.#prefix = prefix
    this.#client = client
  }

  /** Keys named by `nameOf`, below the prefix, whose values are their indexes. */
  async fill(count: number, nameOf: (index: number) => string): Promise<void> {
    let next = 0
    const work = async () => {
      while (next < count) {
        const start = next
        next = Math.min(count, start + KEYS_PER_TXN)
        await this.#txn(start, next, nameOf)
      }
    }
    await Promise.all(Array.from({ length: PARALLEL }, work))
  }

  /** Resolves with the revision. */
  async put(name: string, value: string): Promise<number> {
    const put = { key: this.#key(name), value: Buffer.from(value) }
    const { header } = await this.#client.unary('put', put, OPTIONS)
    return header.revision
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }

  async #txn(start: number, end: number, nameOf: (index: number) => string): Promise<void> {
    const success = Array.from({ length: end - start }, (_, offset) => {
      const index = start + offset
      return { put: { key: this.#key(nameOf(index)), value: Buffer.from(String(index)) } }
    })
    await this.#client.unary('txn', { compare: [], success, failure: [] }, OPTIONS)
  }

  #key(name: string): Buffer {
    return Buffer.from(this.#prefix + name)
  }
}
