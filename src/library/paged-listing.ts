import type { KeyValue as StoredKeyValue } from '../etcd/key-value.ts'
import type { RangeResponse } from '../etcd/messages.ts'
import { PageReader } from '../replication/page-reader.ts'
import type { KeyRange } from '../replication/prefix-range.ts'
import { FlatIterator } from './flat-iterator.ts'
import type { Listing, OperationOptions } from './key-value-broker.ts'
import type { Operations } from './operations.ts'

export interface PagedListingOptions<Item> {
  readonly operations: Operations
  readonly range: KeyRange
  readonly keysOnly: boolean
  /** 0 = the current one. */
  readonly revision: number
  readonly call: OperationOptions
  readonly itemOf: (kv: StoredKeyValue) => Item
}

interface Opened {
  readonly revision: number
  readonly first: RangeResponse
  readonly rest: PageReader
}

/** A `Listing` that reads pages at the revision of its first one. */
export class PagedListing<Item> implements Listing<Item> {
  readonly #options: PagedListingOptions<Item>
  #revision: number
  /** Open, and not yet taken by an iteration. */
  #opened: Promise<Opened> | undefined

  constructor(options: PagedListingOptions<Item>) {
    this.#options = options
    this.#revision = options.revision
  }

  async revision(): Promise<number> {
    if (this.#revision > 0) return this.#revision
    return (await this.#open()).revision
  }

  [Symbol.asyncIterator](): AsyncIterator<Item> {
    const { operations, call } = this.#options
    return new FlatIterator(this.#pages(), operations.signalOf(call.signal))
  }

  async *#pages(): AsyncGenerator<readonly Item[]> {
    const { itemOf, operations, call } = this.#options
    const opened = this.#open()
    this.#opened = undefined
    const { revision, first, rest } = await opened
    yield first.kvs.map(itemOf)
    while (!rest.done) {
      const { kvs } = await rest.next({ ...operations.callOptions(call), revision })
      yield kvs.map(itemOf)
    }
  }

  #open(): Promise<Opened> {
    this.#opened ??= this.#readFirst()
    return this.#opened
  }

  async #readFirst(): Promise<Opened> {
    const { operations, range, keysOnly, call } = this.#options
    const rest = new PageReader(operations.rpc, range, { keysOnly })
    try {
      const first = await rest.next({ ...operations.callOptions(call), revision: this.#revision })
      this.#revision ||= first.header.revision
      return { revision: this.#revision, first, rest }
    } catch (error) {
      this.#opened = undefined
      throw error
    }
  }
}
