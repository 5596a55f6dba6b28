import type { KeyValue as StoredKeyValue } from '../etcd/key-value.ts'
import type { Comparison, RequestOp } from '../etcd/messages.ts'
import type { KeyRange } from '../replication/prefix-range.ts'
import { prefixRange } from '../replication/prefix-range.ts'
import { bytesOf, checkPositive, checkRevision, fullKey, invalid } from './arguments.ts'
import { EtcdTxn } from './etcd-txn.ts'
import type {
  Bytes,
  DeleteOptions,
  KeyRevision,
  KeyValue,
  KeyValueBroker,
  KeyValueTxn,
  Listing,
  ListOptions,
  OperationOptions,
  PutOptions,
} from './key-value-broker.ts'
import type { Operations } from './operations.ts'
import { PagedListing } from './paged-listing.ts'
import type { SessionLease } from './session-lease.ts'

export interface BrokerContext {
  readonly operations: Operations
  /** Of client-lifetime keys. */
  readonly session: SessionLease
}

/** The broker on an `EtcdConnection`. Brokers of one connection share everything but the prefix. */
export class EtcdBroker implements KeyValueBroker {
  readonly #operations: Operations
  readonly #session: SessionLease
  readonly #prefix: Buffer

  constructor({ operations, session }: BrokerContext, prefix: Bytes) {
    this.#operations = operations
    this.#session = session
    this.#prefix = Buffer.from(fullKey(Buffer.alloc(0), prefix, { allowEmpty: true }))
  }

  async put(key: Bytes, value: Bytes, options: PutOptions = {}): Promise<number> {
    const request = { key: this.#key(key), value: bytesOf(value, 'value') }
    const { ttlSeconds, clientLifetime = false } = options
    checkPositive(ttlSeconds, 'ttlSeconds')
    if (ttlSeconds !== undefined && clientLifetime) throw invalid('ttlSeconds', 'clientLifetime is given as well')
    if (clientLifetime) return await this.#session.use((lease) => this.#put({ ...request, lease }, options), options)
    return ttlSeconds === undefined
      ? await this.#put(request, options)
      : await this.#putWithTtl(request, ttlSeconds, options)
  }

  async delete(key: Bytes, { prefix = false, ...options }: DeleteOptions = {}): Promise<boolean> {
    const full = this.#key(key, prefix)
    const request = prefix ? prefixRange(full) : { key: full }
    return (await this.#operations.unary('deleteRange', request, options)).deleted > 0
  }

  async getValue(key: Bytes, options: OperationOptions = {}): Promise<KeyValue | undefined> {
    return await this.getValueRev(key, 0, options)
  }

  async getValueRev(key: Bytes, revision: number, options: OperationOptions = {}): Promise<KeyValue | undefined> {
    const request = { key: this.#key(key), revision: checkRevision(revision) }
    const { kvs } = await this.#operations.unary('range', request, options)
    return kvs[0] && this.#valueOf(kvs[0])
  }

  listValues(prefix: Bytes, options: ListOptions = {}): Listing<KeyValue> {
    return this.#list(prefixRange(this.#key(prefix, true)), options)
  }

  listValuesRange(from: Bytes, to: Bytes, options: ListOptions = {}): Listing<KeyValue> {
    const key = this.#key(from, true)
    // etcd takes an empty key for "none given".
    return this.#list({ key: key.length === 0 ? Buffer.from([0]) : key, rangeEnd: this.#key(to) }, options)
  }

  listKeys(prefix: Bytes, options: ListOptions = {}): Listing<KeyRevision> {
    const { revision = 0, ...call } = options
    return new PagedListing({
      operations: this.#operations,
      range: prefixRange(this.#key(prefix, true)),
      keysOnly: true,
      revision: checkRevision(revision),
      call,
      itemOf: ({ key, modRevision }) => ({ key: this.#trim(key), revision: modRevision }),
    })
  }

  newTxn(): KeyValueTxn {
    return new EtcdTxn(this.#operations, this.#prefix)
  }

  async putIfNotExists(key: Bytes, value: Bytes, options: OperationOptions = {}): Promise<boolean> {
    const put = { key: this.#key(key), value: bytesOf(value, 'value') }
    return await this.#writeIf({ key: put.key, target: 'version', result: 'equal', operand: 0 }, { put }, options)
  }

  async compareAndSwap(key: Bytes, expected: Bytes, value: Bytes, options: OperationOptions = {}): Promise<boolean> {
    const put = { key: this.#key(key), value: bytesOf(value, 'value') }
    return await this.#writeIf(holds(put.key, expected), { put }, options)
  }

  async compareAndDelete(key: Bytes, expected: Bytes, options: OperationOptions = {}): Promise<boolean> {
    const full = this.#key(key)
    return await this.#writeIf(holds(full, expected), { deleteRange: { key: full } }, options)
  }

  async #put(request: StoredPut, options: OperationOptions): Promise<number> {
    return (await this.#operations.unary('put', request, options)).header.revision
  }

  async #putWithTtl(request: StoredPut, seconds: number, options: OperationOptions): Promise<number> {
    const grant = { ttlSeconds: Math.ceil(seconds) }
    const { id: lease } = await this.#operations.unary('leaseGrant', grant, options)
    try {
      return await this.#put({ ...request, lease }, options)
    } catch (error) {
      // Reported as failed, so it must not be there; and the lease is nobody's. If etcd is away it ends by itself.
      void this.#operations.unary('leaseRevoke', { id: lease }).catch(() => {})
      throw error
    }
  }

  async #writeIf(comparison: Comparison, op: RequestOp, options: OperationOptions): Promise<boolean> {
    const request = { compare: [comparison], success: [op], failure: [] }
    return (await this.#operations.unary('txn', request, options)).succeeded
  }

  #list(range: KeyRange, { revision = 0, ...call }: ListOptions): Listing<KeyValue> {
    return new PagedListing({
      operations: this.#operations,
      range,
      keysOnly: false,
      revision: checkRevision(revision),
      call,
      itemOf: (kv) => this.#valueOf(kv),
    })
  }

  #key(key: Bytes, allowEmpty = false): Buffer {
    return fullKey(this.#prefix, key, { allowEmpty })
  }

  #valueOf({ key, value, modRevision }: StoredKeyValue): KeyValue {
    return { key: this.#trim(key), value, revision: modRevision }
  }

  #trim(key: Buffer): Buffer {
    return this.#prefix.length === 0 ? key : key.subarray(this.#prefix.length)
  }
}

interface StoredPut {
  readonly key: Buffer
  readonly value: Buffer
  readonly lease?: bigint
}

function holds(key: Buffer, expected: Bytes): Comparison {
  return { key, target: 'value', result: 'equal', operand: bytesOf(expected, 'expected') }
}
