import { EtcdClient } from '../../src/etcd/etcd-client.ts'
import { etcdConfSchema, resolveEtcdOptions } from '../../src/etcd/options.ts'
import { WriteLog } from './oracle.ts'

/** A value that no other write has. */
const text = (name: string, count: number) => `${count} of ${name}`
const never = new AbortController().signal

/** Writes under one prefix of an etcd, on a connection of its own, and logs what etcd acknowledged. */
export class Writer implements Disposable {
  readonly prefix: string
  #endpoint: string
  #client: EtcdClient
  #log = new WriteLog()
  #count = 0

  /** `endpoint` without TLS: `http://host:port`. */
  static async open(endpoint: string, prefix: string): Promise<Writer> {
    return new Writer(endpoint, prefix, await connect(endpoint))
  }

  private constructor(endpoint: string, prefix: string, client: EtcdClient) {
    this.#endpoint = endpoint
    this.prefix = prefix
    this.#client = client
  }

  get log(): WriteLog {
    return this.#log
  }

  /**
   * Goes on after etcd was restarted, elsewhere if another `endpoint` is given; with the history of a store that was
   * restored to `revision`, if one is given.
   */
  async reconnect(revision?: number, endpoint = this.#endpoint): Promise<void> {
    this.#endpoint = endpoint
    this.#client.close()
    this.#client = await connect(this.#endpoint)
    if (revision !== undefined) this.#log = this.#log.forkAt(revision)
  }

  /** Puts one key, named below the prefix; resolves with the revision. */
  async put(name: string | Buffer, value?: string | Buffer, lease?: bigint): Promise<number> {
    const key = this.#key(name)
    const bytes = Buffer.from(value ?? this.#unique(name.toString('latin1')))
    const put = { key, value: bytes, ...(lease !== undefined && { lease }) }
    const { header } = await this.#client.unary('put', put, { signal: never, timeoutMs: 30_000 })
    this.#log.record(header.revision, [[key.toString('latin1'), bytes]])
    return header.revision
  }

  async delete(name: string | Buffer): Promise<number> {
    const key = this.#key(name)
    const { header } = await this.#client.unary('deleteRange', { key }, { signal: never })
    this.#log.record(header.revision, [[key.toString('latin1'), undefined]])
    return header.revision
  }

  /** Deletes every key below the prefix whose name begins with `start`. */
  async deletePrefix(start: string): Promise<number> {
    const key = this.#key(start)
    const rangeEnd = Buffer.from(key)
    rangeEnd[rangeEnd.length - 1] = (rangeEnd.at(-1) ?? 0) + 1
    const { header } = await this.#client.unary('deleteRange', { key, rangeEnd }, { signal: never })
    const names = [...this.#log.state.keys()].filter((name) => name.startsWith(key.toString('latin1')))
    this.#log.record(
      header.revision,
      names.map((name) => [name, undefined]),
    )
    return header.revision
  }

  /** One transaction: value by name, undefined = delete, true = a value that no other write has. */
  async txn(changes: Readonly<Record<string, string | Buffer | true | undefined>>): Promise<number> {
    const writes = Object.entries(changes).map(([name, value]) => ({
      key: this.#key(name),
      value: value === undefined ? undefined : Buffer.from(value === true ? this.#unique(name) : value),
    }))
    const success = writes.map(({ key, value }) =>
      value === undefined ? { deleteRange: { key } } : { put: { key, value } },
    )
    const { header } = await this.#client.unary(
      'txn',
      { compare: [], success, failure: [] },
      { signal: never, timeoutMs: 30_000 },
    )
    this.#log.record(
      header.revision,
      writes.map(({ key, value }) => [key.toString('latin1'), value]),
    )
    return header.revision
  }

  /** Keys of unique values, a thousand a transaction; resolves with the last revision. */
  async fill(names: readonly string[]): Promise<number> {
    let revision = 0
    for (let start = 0; start < names.length; start += 1000) {
      revision = await this.txn(Object.fromEntries(names.slice(start, start + 1000).map((name) => [name, true])))
    }
    return revision
  }

  /** One revision each, many at once; resolves with the last revision. */
  async putMany(names: Iterable<string>): Promise<number> {
    const queue = [...names]
    let last = 0
    const work = async () => {
      for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
        const revision = await this.put(name)
        last = Math.max(last, revision)
      }
    }
    await Promise.all(Array.from({ length: 64 }, work))
    return last
  }

  async grantLease(ttlSeconds: number): Promise<bigint> {
    const { id } = await this.#client.unary('leaseGrant', { ttlSeconds }, { signal: never })
    return id
  }

  /** Gives up the history before `revision`, default all of it. */
  async compact(revision?: number): Promise<void> {
    const at = revision ?? (await this.head())
    await this.#client.unary('compact', { revision: at, physical: true }, { signal: never, timeoutMs: 30_000 })
  }

  /** The store's revision. */
  async head(): Promise<number> {
    const { header } = await this.#client.unary('range', { key: Buffer.from([0]), countOnly: true }, { signal: never })
    return header.revision
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }

  #key(name: string | Buffer): Buffer {
    return Buffer.concat([Buffer.from(this.prefix), Buffer.from(name)])
  }

  #unique(name: string): string {
    this.#count += 1
    return text(name, this.#count)
  }
}

function connect(endpoint: string): Promise<EtcdClient> {
  // A busy machine needs more than the second that is the default.
  const { options } = resolveEtcdOptions(etcdConfSchema.parse({ endpoints: [endpoint], 'dial-timeout': '30s' }))
  if (options === undefined) throw new Error(`Cannot use the endpoint ${endpoint}`)
  return EtcdClient.open(options)
}

/** Names `<directory>/<number>` that sort by number: `count` of them over directories of a hundred. */
export function manyNames(count: number, start = 0): readonly string[] {
  return Array.from({ length: count }, (_, index) => {
    const number = String(start + index).padStart(6, '0')
    return `${number.slice(0, 4)}/${number}`
  })
}
