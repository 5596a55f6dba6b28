import type { RequestOp } from '../etcd/messages.ts'
import { prefixRange } from '../replication/prefix-range.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { bytesOf, fullKey } from './arguments.ts'
import type { Bytes, KeyValueTxn, OperationOptions } from './key-value-broker.ts'
import type { Operations } from './operations.ts'

interface Span {
  readonly from: Buffer
  /** Empty = no end. */
  readonly to: Buffer
}

/** A `KeyValueTxn` below one prefix: one unconditional transaction of etcd. */
export class EtcdTxn implements KeyValueTxn {
  readonly #operations: Operations
  readonly #prefix: Buffer
  readonly #ops: RequestOp[] = []
  /** As latin1. */
  readonly #puts = new Set<string>()
  readonly #deletedKeys = new Set<string>()
  readonly #deletedRanges: Span[] = []

  constructor(operations: Operations, prefix: Buffer) {
    this.#operations = operations
    this.#prefix = prefix
  }

  put(key: Bytes, value: Bytes): this {
    // Copies: what the caller does to its bytes before the commit must not count.
    const bytes = Buffer.from(fullKey(this.#prefix, key))
    const name = bytes.toString('latin1')
    const isTwice =
      this.#puts.has(name) || this.#deletedKeys.has(name) || this.#deletedRanges.some((span) => holds(span, bytes))
    if (isTwice) throw duplicateKey()
    const put = { key: bytes, value: Buffer.from(bytesOf(value, 'value')) }
    this.#puts.add(name)
    this.#ops.push({ put })
    return this
  }

  delete(key: Bytes, { prefix = false }: { readonly prefix?: boolean | undefined } = {}): this {
    const bytes = Buffer.from(fullKey(this.#prefix, key, { allowEmpty: prefix }))
    if (prefix) return this.#deletePrefix(bytes)
    const name = bytes.toString('latin1')
    if (this.#puts.has(name)) throw duplicateKey()
    this.#deletedKeys.add(name)
    this.#ops.push({ deleteRange: { key: bytes } })
    return this
  }

  async commit(options: OperationOptions = {}): Promise<number> {
    const request = { compare: [], success: this.#ops, failure: [] }
    const { header } = await this.#operations.unary('txn', request, options)
    return header.revision
  }

  #deletePrefix(prefix: Buffer): this {
    const range = prefixRange(prefix)
    const span = { from: prefix, to: range.rangeEnd[0] === 0 ? Buffer.alloc(0) : range.rangeEnd }
    for (const name of this.#puts) if (holds(span, Buffer.from(name, 'latin1'))) throw duplicateKey()
    this.#deletedRanges.push(span)
    this.#ops.push({ deleteRange: range })
    return this
  }
}

function holds({ from, to }: Span, key: Buffer): boolean {
  return from.compare(key) <= 0 && (to.length === 0 || key.compare(to) < 0)
}

function duplicateKey(): EtcdMirrorError {
  return new EtcdMirrorError('DuplicateKey', 'Cannot add to the transaction: it writes this key already', false)
}
