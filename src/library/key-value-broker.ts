/** What is taken as a key or value: bytes as they are, text as UTF-8. */
export type Bytes = string | Uint8Array

/** One key as a broker gives it out. `key` is the part behind the broker's prefix. */
export interface KeyValue {
  readonly key: Buffer
  readonly value: Buffer
  /** Revision of the last change of this key. */
  readonly revision: number
}

/** One key without its value. */
export interface KeyRevision {
  readonly key: Buffer
  readonly revision: number
}

/** What every call takes. */
export interface OperationOptions {
  /** Ends the call: it rejects with the signal's reason. A write that was already sent may still happen. */
  readonly signal?: AbortSignal | undefined
  /** Limit of each request to etcd, milliseconds. Default: the connection's operation-timeout. */
  readonly timeoutMs?: number | undefined
}

/** How long the key of a `put` lives: for ever, for a time, or as long as the connection. */
export interface PutOptions extends OperationOptions {
  /** The key goes away so many seconds (> 0, rounded up) after this put; etcd raises less than about 2. */
  readonly ttlSeconds?: number | undefined
  /** The key goes away when the connection is closed, or within its session-ttl when the process dies. */
  readonly clientLifetime?: boolean | undefined
}

/** Whether `delete` takes one key or all below one. */
export interface DeleteOptions extends OperationOptions {
  /** Delete every key that starts with the key given. Default false. */
  readonly prefix?: boolean | undefined
}

/** Which state a list shows. `timeoutMs` is the limit of each page. */
export interface ListOptions extends OperationOptions {
  /** Read at this revision. Default: the one that is current when the list is opened. */
  readonly revision?: number | undefined
}

/**
 * Items in ascending order of their keys, all at one revision, read page by page as they are taken. It can be iterated
 * again, and shows the same revision.
 */
export interface Listing<Item> extends AsyncIterable<Item> {
  /** Opens the list if it is not open yet. A watch with `fromRevision` set to this misses nothing and repeats nothing. */
  revision(): Promise<number>
}

/**
 * Several writes that happen at one revision, or not at all. Writes of one key twice are refused when they are added
 * (`DuplicateKey`); only deletes may overlap.
 */
export interface KeyValueTxn {
  put(key: Bytes, value: Bytes): this
  delete(key: Bytes, options?: { readonly prefix?: boolean | undefined }): this
  /**
   * Resolves to the revision at which everything happened. Rejects with `TooManyOperations` beyond what the server takes
   * at once (128 by default). A second commit repeats the writes.
   */
  commit(options?: OperationOptions): Promise<number>
}

/**
 * Reads and writes of the keys below one prefix: it is put before every key that goes in, and taken off every key that
 * comes out. Matching is etcd's own: by bytes, so `a` is a prefix of `ab`.
 *
 * Every call rejects with `EtcdMirrorError` (see its codes) or with the abort reason. Arguments are checked before
 * anything is sent: `EmptyKey`, `KeyTooLarge`, `InvalidRevision`, `InvalidArgument`, `Closed`. After `DeadlineExceeded` or
 * `Unavailable` of a write nobody knows whether it happened.
 */
export interface KeyValueBroker {
  /** Resolves to the revision of the write. */
  put(key: Bytes, value: Bytes, options?: PutOptions): Promise<number>
  /** true exactly when something was removed. */
  delete(key: Bytes, options?: DeleteOptions): Promise<boolean>
  /** undefined = there is no such key. */
  getValue(key: Bytes, options?: OperationOptions): Promise<KeyValue | undefined>
  /** The key as it was at `revision` (0 = now). Rejects with `Compacted` or `FutureRevision` when etcd cannot tell. */
  getValueRev(key: Bytes, revision: number, options?: OperationOptions): Promise<KeyValue | undefined>
  /** Every key that starts with `prefix`; '' = all. */
  listValues(prefix: Bytes, options?: ListOptions): Listing<KeyValue>
  /** Every key ≥ `from` and < `to`. */
  listValuesRange(from: Bytes, to: Bytes, options?: ListOptions): Listing<KeyValue>
  /** As `listValues`, without reading the values. */
  listKeys(prefix: Bytes, options?: ListOptions): Listing<KeyRevision>
  newTxn(): KeyValueTxn
  /** true = written; false = the key exists and was left as it is. */
  putIfNotExists(key: Bytes, value: Bytes, options?: OperationOptions): Promise<boolean>
  /** Writes `value` if the key holds exactly `expected`; false = it does not, or there is no such key. */
  compareAndSwap(key: Bytes, expected: Bytes, value: Bytes, options?: OperationOptions): Promise<boolean>
  /** Deletes the key if it holds exactly `expected`; false = it does not, or there is no such key. */
  compareAndDelete(key: Bytes, expected: Bytes, options?: OperationOptions): Promise<boolean>
}

/** The prefix of a broker or watcher that sees every key under its full name. */
export const Root = ''
