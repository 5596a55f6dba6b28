import { CompactedError } from '../../src/etcd/compacted-error.ts'
import { EtcdClient } from '../../src/etcd/etcd-client.ts'
import type { RequestOp, ResponseOp } from '../../src/etcd/messages.ts'
import { etcdConfSchema, resolveEtcdOptions } from '../../src/etcd/options.ts'
import { prefixRange } from '../../src/replication/prefix-range.ts'
import { eventually } from '../support/wait.ts'
import { type Digest, digestOf } from './digest.ts'
import type { Writes } from './settled-history.ts'
import type { Timeline } from './timeline.ts'

const TIMEOUT_MS = 5000
/** Deleting many keys, or compacting much, takes long on a busy machine. */
const LONG_TIMEOUT_MS = 60_000
/** Only ends what hangs. */
const PATIENCE_MS = 120_000

/** A key's new value; undefined = delete it. */
export type Assignments = ReadonlyMap<string, Buffer | undefined>

/**
 * Writes to a store on a connection of its own and remembers what was acknowledged under the prefix. Whatever it rejects
 * with: the outcome is unknown, and for the watch to tell.
 */
export class StoreWriter implements Disposable {
  readonly #client: EtcdClient
  readonly #prefix: string
  readonly #timeline: Timeline
  readonly #never = new AbortController().signal

  static async open(conf: Readonly<Record<string, unknown>>, prefix: string, timeline: Timeline): Promise<StoreWriter> {
    return new StoreWriter(await openClient(conf), prefix, timeline)
  }

  private constructor(client: EtcdClient, prefix: string, timeline: Timeline) {
    this.#client = client
    this.#prefix = prefix
    this.#timeline = timeline
  }

  async put(key: string, value: Buffer, lease?: bigint): Promise<void> {
    const request = { key: Buffer.from(key), value, ...(lease !== undefined && { lease }) }
    const { header } = await this.#client.unary('put', request, this.#within(TIMEOUT_MS))
    this.#acknowledge(header.revision, new Map([[key, digestOf(value)]]))
  }

  async delete(key: string): Promise<void> {
    const { header, deleted } = await this.#client.unary(
      'deleteRange',
      { key: Buffer.from(key) },
      this.#within(TIMEOUT_MS),
    )
    // A delete of nothing makes no revision: the header's belongs to somebody else.
    if (deleted > 0) this.#acknowledge(header.revision, new Map([[key, undefined]]))
  }

  /** Deletes every key that begins with `start`. */
  async deletePrefix(start: string): Promise<void> {
    const key = Buffer.from(start)
    const rangeEnd = Buffer.from(key)
    rangeEnd[rangeEnd.length - 1] = (rangeEnd.at(-1) ?? 0) + 1
    const { header, prevKvs } = await this.#client.unary(
      'deleteRange',
      { key, rangeEnd, prevKv: true },
      this.#within(LONG_TIMEOUT_MS),
    )
    if (prevKvs.length > 0)
      this.#acknowledge(header.revision, new Map(prevKvs.map((kv) => [kv.key.toString(), undefined])))
  }

  /** At least one of the assignments has to be a value. */
  async txn(assignments: Assignments): Promise<void> {
    const success = [...assignments].map(([key, value]) => requestOf(key, value))
    const { header, responses } = await this.#client.unary(
      'txn',
      { compare: [], success, failure: [] },
      this.#within(LONG_TIMEOUT_MS),
    )
    const happened = [...assignments].filter((_, index) => didSomething(responses[index]))
    this.#acknowledge(header.revision, new Map(happened.map(([key, value]) => [key, value && digestOf(value)])))
  }

  async grantLease(ttlSeconds: number): Promise<bigint> {
    const { id } = await this.#client.unary('leaseGrant', { ttlSeconds }, this.#within(TIMEOUT_MS))
    return id
  }

  /** Tried until it is done; what somebody has compacted further already is. */
  async compact(revision: number): Promise<void> {
    await eventually(
      async () => {
        const compacted = this.#client.unary('compact', { revision, physical: true }, this.#within(LONG_TIMEOUT_MS))
        await compacted.catch((error: unknown) => {
          if (!(error instanceof CompactedError)) throw error
        })
      },
      { timeoutMs: PATIENCE_MS },
    )
  }

  /** The store's revision, by a linearizable read that is tried until it is answered. */
  async head(): Promise<number> {
    const request = { key: Buffer.from(this.#prefix), countOnly: true }
    const { header } = await eventually(() => this.#client.unary('range', request, this.#within(TIMEOUT_MS)), {
      timeoutMs: PATIENCE_MS,
    })
    return header.revision
  }

  /** Everything under the prefix now, by a linearizable read. */
  async readAll(): Promise<ReadonlyMap<string, Digest>> {
    const { kvs } = await this.#client.unary(
      'range',
      prefixRange(Buffer.from(this.#prefix)),
      this.#within(LONG_TIMEOUT_MS),
    )
    return new Map(kvs.map(({ key, value }) => [key.toString(), digestOf(value)]))
  }

  [Symbol.dispose](): void {
    this.#client.close()
  }

  #acknowledge(revision: number, writes: Writes): void {
    const mine = new Map([...writes].filter(([key]) => key.startsWith(this.#prefix)))
    if (mine.size > 0) this.#timeline.current.acknowledge(revision, mine)
  }

  #within(timeoutMs: number) {
    return { signal: this.#never, timeoutMs }
  }
}

/** `conf`: keys of etcd.conf. */
export function openClient(conf: Readonly<Record<string, unknown>>): Promise<EtcdClient> {
  const { options } = resolveEtcdOptions(etcdConfSchema.parse(conf))
  if (options === undefined) throw new Error(`Cannot use ${JSON.stringify(conf)} as etcd.conf`)
  return EtcdClient.open(options)
}

function requestOf(key: string, value: Buffer | undefined): RequestOp {
  return value === undefined ? { deleteRange: { key: Buffer.from(key) } } : { put: { key: Buffer.from(key), value } }
}

function didSomething(response: ResponseOp | undefined): boolean {
  return (
    response !== undefined && ('put' in response || ('deleteRange' in response && response.deleteRange.deleted > 0))
  )
}
