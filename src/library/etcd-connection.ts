import { EtcdClient } from '../etcd/etcd-client.ts'
import type { EtcdOptions } from '../etcd/options.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { type Logger, silentLogger } from '../util/logger.ts'
import { checkRevision } from './arguments.ts'
import { type ConnectionConfig, resolveConnectionConfig } from './connection-config.ts'
import { type CampaignOptions, Elections } from './election.ts'
import { EtcdBroker } from './etcd-broker.ts'
import { EtcdWatcher, type WatcherContext } from './etcd-watcher.ts'
import type { Etcd3Client } from './etcd3-client.ts'
import { Etcd3Rpc } from './etcd3-rpc.ts'
import { type Bytes, type KeyValueBroker, type OperationOptions, Root } from './key-value-broker.ts'
import type { KeyValueWatch, KeyValueWatcher, WatchOptions } from './key-value-watcher.ts'
import type { Leader, Leadership } from './leadership.ts'
import { Operations } from './operations.ts'
import { ServerTrust } from './server-trust.ts'
import { SessionLease } from './session-lease.ts'
import { SharedWatches } from './shared-watches.ts'

/** Waiting for etcd to give up our lease must not hold up a shutdown for long. */
const CLOSE_TIMEOUT_MS = 1000

/** What a connection may be given. */
export interface ConnectionDependencies {
  /** Told what in an etcd.conf has no effect. Default: nobody. */
  readonly logger?: Logger | undefined
}

/** What a connection over an `EtcdRpc` of the caller's needs to know. */
export interface ConnectionSettings {
  /** Default 3,000. */
  readonly operationTimeoutMs?: number | undefined
  /** Default 5. */
  readonly sessionTtlSeconds?: number | undefined
}

/**
 * A connection to etcd: the data broker of all keys, and the source of brokers and watchers of parts of them. It survives
 * whatever happens to etcd; calls fail while etcd is away, watches go on when it is back. Close it when you are done.
 */
export class EtcdConnection extends EtcdBroker implements KeyValueWatcher, AsyncDisposable {
  readonly #operations: Operations
  readonly #session: SessionLease
  readonly #watching: WatcherContext
  readonly #watcher: EtcdWatcher
  readonly #elections: Elections
  readonly #closeRpc: () => void
  #closing: Promise<void> | undefined

  /**
   * `config`: settings, or the path of an etcd.conf. Reads the files they name and connects when it is first used: that
   * etcd is away shows in the calls. Rejects with `ConfigInvalid`, `InvalidArgument` and `TlsRefused`.
   */
  static async open(
    config: ConnectionConfig | string = {},
    { logger = silentLogger }: ConnectionDependencies = {},
  ): Promise<EtcdConnection> {
    const options = typeof config === 'string' ? await readEtcdConf(config, logger) : resolveConnectionConfig(config)
    const client = await EtcdClient.open(options)
    return EtcdConnection.usingRpc(client, options, () => client.close())
  }

  /**
   * On a client of the npm package `etcd3` (an optional peer), with its endpoints and credentials. Closing the connection
   * leaves the client open: it is the caller's.
   */
  static usingClient(client: Etcd3Client, settings: ConnectionSettings = {}): EtcdConnection {
    return EtcdConnection.usingRpc(new Etcd3Rpc(client), settings)
  }

  /** On an `EtcdRpc` of the caller's; `closeRpc` is called when the connection is closed. */
  static usingRpc(rpc: EtcdRpc, settings: ConnectionSettings = {}, closeRpc: () => void = () => {}): EtcdConnection {
    const operations = new Operations(rpc, settings.operationTimeoutMs ?? 3000)
    return new EtcdConnection(operations, settings.sessionTtlSeconds ?? 5, closeRpc)
  }

  private constructor(operations: Operations, sessionTtlSeconds: number, closeRpc: () => void) {
    const session = new SessionLease(operations, sessionTtlSeconds)
    super({ operations, session }, Root)
    this.#operations = operations
    this.#session = session
    const watches = new SharedWatches(operations.rpc, operations.closed)
    this.#watching = { operations, watches, trust: new ServerTrust(operations) }
    this.#watcher = new EtcdWatcher(this.#watching, Root)
    this.#elections = new Elections({ operations, watcher: this.#watcher, sessionTtlSeconds })
    this.#closeRpc = closeRpc
  }

  /** A broker of the keys that start with `prefix`; no "/" is added. It shares this connection. */
  newBroker(prefix: Bytes): KeyValueBroker {
    return new EtcdBroker({ operations: this.#operations, session: this.#session }, prefix)
  }

  /** A watcher of the keys that start with `prefix`; no "/" is added. It shares this connection. */
  newWatcher(prefix: Bytes): KeyValueWatcher {
    return new EtcdWatcher(this.#watching, prefix)
  }

  watch(prefixes: Bytes | readonly Bytes[], options: WatchOptions = {}): KeyValueWatch {
    return this.#watcher.watch(prefixes, options)
  }

  /**
   * Stands in the election `name` (keys below `name/`, as etcd's own clients use them) and resolves once it is won. Waits
   * as long as it takes: end it with `signal`. Rejects with the abort reason and with what a call rejects with.
   */
  campaign(name: Bytes, options: CampaignOptions = {}): Promise<Leadership> {
    return this.#elections.campaign(name, options)
  }

  /** The leader now and at every change; undefined = there is none. Some changes may be passed over, never the last. */
  observe(name: Bytes, options: OperationOptions = {}): AsyncIterable<Leader | undefined> {
    return this.#elections.observe(name, options)
  }

  /** The leader of the election `name`; undefined = there is none. */
  getLeader(name: Bytes, options: OperationOptions = {}): Promise<Leader | undefined> {
    return this.#elections.getLeader(name, options)
  }

  /** The store's current revision. */
  async getRevision(options: OperationOptions = {}): Promise<number> {
    const request = { key: Buffer.from([0]), countOnly: true }
    return (await this.#operations.unary('range', request, options)).header.revision
  }

  /**
   * Discards the history before `revision` (default: the current one), cluster-wide, and waits until it is gone from disk.
   * Resolves to the revision. Rejects with `Compacted` when that was done already, with `FutureRevision` beyond the store's.
   */
  async compact(revision?: number, options: OperationOptions = {}): Promise<number> {
    const at = revision === undefined ? await this.getRevision(options) : checkRevision(revision, 1)
    await this.#operations.unary('compact', { revision: at, physical: true }, options)
    return at
  }

  /**
   * Ends everything that was begun on this connection: calls and watches fail with `Closed`, client-lifetime keys and
   * candidacies go. Resolves when nothing is open any more. Idempotent; never rejects.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  async #close(): Promise<void> {
    await Promise.all([this.#session.close(CLOSE_TIMEOUT_MS), this.#elections.close()])
    this.#operations.close()
    this.#closeRpc()
  }
}

async function readEtcdConf(path: string, logger: Logger): Promise<EtcdOptions> {
  // Only who reads a file pays for the YAML parser.
  const { loadConnection } = await import('../config-files/load-connection.ts')
  const { etcd, warnings } = await loadConnection({ etcdConfig: path, configDir: '.' }, process.env)
  for (const warning of warnings) logger.warn({ warning }, 'etcd.conf has something that does not count')
  return etcd
}
