import type { KeyValue } from '../etcd/key-value.ts'
import type { RangeResponse } from '../etcd/messages.ts'
import type { CallOptions, EtcdRpc } from '../etcd/rpc.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { type KeyRange, keyAfter } from './prefix-range.ts'

/** Small, because nothing is known of the values yet: 256 values of 1 MiB would be refused after etcd had read them. */
const FIRST_LIMIT = 16
const GROWTH = 4
const MAX_LIMIT = 65_536
/** A page is meant to be this large: large enough that etcd's cost for counting the rest of the range does not show. */
const BUDGET_BYTES = 2 * 1024 * 1024
/** Above this the next page is made smaller. */
const CEILING_BYTES = 4 * 1024 * 1024

export interface PageReaderOptions {
  readonly signal: AbortSignal
  /** Deadline of the call for the page. Default: the connection's. */
  readonly timeoutMs?: number | undefined
  /** Read every page at this revision; undefined = each page at the revision that is current then. */
  readonly revision?: number | undefined
}

/** Reads the keys of a range in ascending order, in pages that follow a byte budget instead of a key count. */
export class PageReader {
  readonly #rpc: EtcdRpc
  readonly #rangeEnd: Buffer
  readonly #keysOnly: boolean
  #from: Buffer | undefined
  #limit = FIRST_LIMIT

  constructor(rpc: EtcdRpc, { key, rangeEnd }: KeyRange, { keysOnly = false }: { readonly keysOnly?: boolean } = {}) {
    this.#rpc = rpc
    this.#rangeEnd = rangeEnd
    this.#from = key
    this.#keysOnly = keysOnly
  }

  /** true = the last page was read. */
  get done(): boolean {
    return this.#from === undefined
  }

  /** The next page. Throws `CompactedError` when its revision is gone. Must not be called once `done`. */
  async next({ signal, timeoutMs, revision = 0 }: PageReaderOptions): Promise<RangeResponse> {
    const response = await this.#range(revision, { signal, ...(timeoutMs !== undefined && { timeoutMs }) })
    const last = response.kvs.at(-1)
    this.#from = response.more && last ? keyAfter(last.key) : undefined
    this.#adapt(response.kvs)
    return response
  }

  async #range(revision: number, options: CallOptions): Promise<RangeResponse> {
    const key = this.#from
    if (!key) throw new Error('Cannot read a page: the last one was read')
    for (;;) {
      try {
        return await this.#rpc.unary(
          'range',
          { key, rangeEnd: this.#rangeEnd, limit: this.#limit, revision, keysOnly: this.#keysOnly },
          options,
        )
      } catch (error) {
        const tooLarge = error instanceof EtcdMirrorError && error.code === 'MessageTooLarge'
        if (!tooLarge || this.#limit === 1) throw error
        this.#limit = Math.ceil(this.#limit / 2)
      }
    }
  }

  #adapt(kvs: readonly KeyValue[]): void {
    const bytes = kvs.reduce((sum, { key, value }) => sum + key.length + value.length, 0)
    if (bytes * 2 > BUDGET_BYTES && bytes <= CEILING_BYTES) return
    const wanted = Math.floor(this.#limit * Math.min(GROWTH, BUDGET_BYTES / bytes))
    this.#limit = Math.min(MAX_LIMIT, Math.max(1, wanted))
  }
}
