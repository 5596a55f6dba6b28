import { EtcdClient } from '../etcd/etcd-client.ts'
import type { EtcdOptions } from '../etcd/options.ts'
import { Backoff } from '../util/backoff.ts'
import { type Clock, systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { type Logger, silentLogger } from '../util/logger.ts'
import type { PluginState, StatusWriter } from './agent-status.ts'
import type { BrokerLayer } from './broker-layer.ts'
import { ConnectCallbacks } from './connect-callbacks.ts'
import { ConnectionMonitor } from './connection-monitor.ts'
import type { CampaignOptions } from './election.ts'
import { EtcdConnection } from './etcd-connection.ts'
import type { Bytes, KeyValueBroker, OperationOptions } from './key-value-broker.ts'
import type { KeyValueWatcher } from './key-value-watcher.ts'
import type { Leadership } from './leadership.ts'
import { type LoadedPluginConfig, loadPluginConfig, type PluginConfigSource } from './plugin-config.ts'
import { PluginLoops } from './plugin-loops.ts'
import type { Resync } from './resync.ts'

/** What an `EtcdPlugin` needs and may be given. */
export interface EtcdPluginOptions<Broker = KeyValueBroker, Watcher = KeyValueWatcher> extends PluginConfigSource {
  /** Shown in its status, its errors and its log. Default `etcd`. */
  readonly name?: string
  /** Where the plugin reports the state of its connection, such as a `StatusCheck`. */
  readonly statusCheck?: StatusWriter
  /** Asked to run a round after a delayed start, and after every reconnect if the configuration says so. */
  readonly resync?: Pick<Resync, 'doResync'>
  /** What `newBroker` and `newWatcher` give out: `protoLayer()` of `etcd-mirror/proto` for messages. Default: bytes. */
  readonly serializer?: BrokerLayer<Broker, Watcher>
  readonly logger?: Logger
  readonly clock?: Clock
}

type Phase = 'not initialised' | 'initialising' | 'disabled' | 'not connected' | 'connected' | 'closed'

/**
 * The seed's plugin: one connection to etcd with a life cycle. `init`, `afterInit` once every plugin is initialised, and
 * `close`. It is disabled when nothing says where etcd is. Using it before it is connected is an error (`NotConnected`);
 * once it was, calls fail by themselves while etcd is away.
 */
export class EtcdPlugin<Broker = KeyValueBroker, Watcher = KeyValueWatcher> implements AsyncDisposable {
  readonly name: string
  readonly #options: EtcdPluginOptions<Broker, Watcher>
  readonly #logger: Logger
  readonly #clock: Clock
  readonly #closing = new AbortController()
  readonly #callbacks = new ConnectCallbacks()
  #phase: Phase = 'not initialised'
  #config: EtcdOptions | undefined
  #connection: EtcdConnection | undefined
  #client: EtcdClient | undefined
  #loops: PluginLoops | undefined
  #delayed: Promise<void> | undefined
  #state: { readonly state: PluginState; readonly error?: string } = { state: 'Init' }
  #unregister: (() => void) | undefined

  constructor(options: EtcdPluginOptions<Broker, Watcher> = {}) {
    this.#options = options
    this.name = options.name ?? 'etcd'
    this.#logger = options.logger ?? silentLogger
    this.#clock = options.clock ?? systemClock
  }

  /** true once `init` found that nothing says where etcd is. */
  get disabled(): boolean {
    return this.#phase === 'disabled'
  }

  /** Everything a connection can do. Throws `NotConnected` before the first connection, `Closed` after the end. */
  get connection(): EtcdConnection {
    if (this.#phase === 'connected' && this.#connection) return this.#connection
    throw this.#notConnected()
  }

  /**
   * Reads the configuration and connects. Rejects with `ConfigInvalid`, `InvalidArgument`, `TlsRefused`, and with what keeps
   * etcd from answering, unless `allow-delayed-start` is set: then it resolves, and tries until it is closed.
   */
  async init(): Promise<void> {
    if (this.#phase !== 'not initialised')
      throw misuse(`Cannot initialise the plugin ${this.name}: it is ${this.#phase}`)
    this.#phase = 'initialising'
    try {
      const loaded = await loadPluginConfig(this.#options)
      this.#closing.signal.throwIfAborted()
      if (loaded === undefined) this.#disable()
      else await this.#connect(loaded)
    } catch (error) {
      await this.#closeConnection()
      this.#closing.signal.throwIfAborted()
      // Somebody may mend what is wrong, and try again.
      this.#phase = 'not initialised'
      throw error
    }
  }

  /** Makes the plugin known to the status check. */
  async afterInit(): Promise<void> {
    const { statusCheck } = this.#options
    if (statusCheck === undefined || this.disabled || this.#unregister) return
    this.#unregister = statusCheck.register(this.name)
    this.#report(this.#state.state, this.#state.error)
  }

  /**
   * Runs the callback once: now when there has been a connection, else when there is the first. Resolves when it has run;
   * rejects with what it throws, with `NotConnected` when the plugin is disabled, with `Closed` when it ends before. What
   * nobody waits for is logged. Callbacks may use everything of the plugin, this method included.
   */
  onConnect(callback: () => Promise<void> | void): Promise<void> {
    const done = this.#callbacks.add(callback)
    done.catch((err: unknown) => {
      const neverRan = err instanceof EtcdMirrorError && (err.code === 'NotConnected' || err.code === 'Closed')
      if (!neverRan) this.#logger.error({ plugin: this.name, err }, 'what was to run on connecting failed')
    })
    return done
  }

  /** A broker of the keys that start with `prefix`; no "/" is added. */
  newBroker(prefix: Bytes): Broker {
    const broker = this.connection.newBroker(prefix)
    // Without a layer the type parameters are those of bytes.
    return this.#options.serializer?.broker(broker, this.#layerSettings) ?? (broker as Broker)
  }

  /** A watcher of the keys that start with `prefix`; no "/" is added. */
  newWatcher(prefix: Bytes): Watcher {
    const watcher = this.connection.newWatcher(prefix)
    return this.#options.serializer?.watcher(watcher, this.#layerSettings) ?? (watcher as Watcher)
  }

  /** As of `KeyValueBroker`, with complete keys. */
  async putIfNotExists(key: Bytes, value: Bytes, options?: OperationOptions): Promise<boolean> {
    return await this.connection.putIfNotExists(key, value, options)
  }

  /** As of `EtcdConnection`. */
  async compact(revision?: number, options?: OperationOptions): Promise<number> {
    return await this.connection.compact(revision, options)
  }

  /** As of `EtcdConnection`. */
  async campaign(name: Bytes, options?: CampaignOptions): Promise<Leadership> {
    return await this.connection.campaign(name, options)
  }

  /** Ends everything that was begun through the plugin. Idempotent; never rejects. Once closed, it stays so. */
  async close(): Promise<void> {
    if (this.#phase === 'closed') return
    const closed = new EtcdMirrorError('Closed', `Cannot use the plugin ${this.name}: it is closed`, false)
    this.#phase = 'closed'
    this.#closing.abort(closed)
    this.#callbacks.refuse(closed)
    this.#unregister?.()
    await Promise.all([this.#delayed, this.#loops?.done])
    await this.#closeConnection()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close()
  }

  #disable(): void {
    this.#phase = 'disabled'
    this.#unregister?.()
    this.#logger.info({ plugin: this.name }, 'the plugin is disabled: there is no etcd.conf')
    this.#callbacks.refuse(this.#notConnected())
  }

  async #connect(loaded: LoadedPluginConfig): Promise<void> {
    await this.#open(loaded)
    try {
      await this.#ask()
    } catch (error) {
      if (this.#closing.signal.aborted || !loaded.etcd.allowDelayedStart) throw error
      this.#lost(error)
      this.#phase = 'not connected'
      this.#delayed = this.#connectLater(loaded.etcd.reconnectIntervalMs)
      return
    }
    this.#closing.signal.throwIfAborted()
    // In the background: a callback may wait for what comes after us.
    void this.#connected()
  }

  async #open({ etcd, warnings }: LoadedPluginConfig): Promise<void> {
    for (const warning of warnings) this.#logger.warn({ plugin: this.name, warning }, 'configuration')
    this.#config = etcd
    const client = await EtcdClient.open(etcd)
    this.#client = client
    this.#connection = EtcdConnection.usingRpc(client, etcd, () => client.close())
  }

  /** Resolves when etcd answers, if only to refuse. */
  async #ask(): Promise<void> {
    try {
      await this.#connection?.getRevision({ signal: this.#closing.signal })
    } catch (error) {
      if (!(error instanceof EtcdMirrorError && error.code === 'PermissionDenied')) throw error
    }
  }

  async #connectLater(intervalMs: number): Promise<void> {
    const { signal } = this.#closing
    const backoff = new Backoff({ firstMs: intervalMs, maxMs: 10 * intervalMs })
    while (!signal.aborted) {
      try {
        await this.#clock.sleep(backoff.nextMs(), signal)
        await this.#ask()
        signal.throwIfAborted()
        // In the background: a callback may close the plugin, which waits for us.
        void this.#connected().then((count) => (count > 0 ? this.#resync('delayed start') : undefined))
        return
      } catch (error) {
        if (!signal.aborted) this.#lost(error)
      }
    }
  }

  /** Resolves with how many callbacks had waited, once they have run. */
  async #connected(): Promise<number> {
    this.#phase = 'connected'
    this.#report('Ok')
    this.#logger.info({ plugin: this.name }, 'connected to etcd')
    this.#startLoops()
    return await this.#callbacks.connected()
  }

  #startLoops(): void {
    if (!this.#client || !this.#config || !this.#connection) return
    const monitor = new ConnectionMonitor({
      connection: this.#connection,
      clock: this.#clock,
      onLost: (error) => this.#lost(error),
      onBack: () => this.#back(),
    })
    this.#loops = new PluginLoops({
      monitor,
      rpc: this.#client,
      autoCompactMs: this.#config.autoCompactMs,
      clock: this.#clock,
      logger: this.#logger,
      signal: this.#closing.signal,
    })
  }

  #lost(err: unknown): void {
    const reason = err instanceof EtcdMirrorError ? err.code : 'Internal'
    if (this.#state.error !== reason) this.#logger.warn({ plugin: this.name, err }, 'etcd does not answer')
    this.#report('Error', reason)
  }

  #back(): void {
    this.#report('Ok')
    this.#logger.info({ plugin: this.name }, 'etcd answers again')
    if (this.#config?.resyncAfterReconnect) this.#resync('reconnect')
  }

  #resync(reason: string): void {
    // It logs what fails, and never rejects.
    void this.#options.resync?.doResync(reason)
  }

  #report(state: PluginState, error?: string): void {
    this.#state = { state, ...(error !== undefined && { error }) }
    if (this.#unregister) this.#options.statusCheck?.report(this.name, state, error)
  }

  async #closeConnection(): Promise<void> {
    await this.#connection?.close()
    this.#connection = undefined
  }

  get #layerSettings() {
    return { expandEnvVariables: this.#config?.expandEnvVariables ?? false }
  }

  #notConnected(): unknown {
    if (this.#phase === 'closed') return this.#closing.signal.reason
    const why = this.disabled ? 'disabled, because there is no etcd.conf' : this.#phase
    const isPassing = this.#phase === 'not connected'
    return new EtcdMirrorError('NotConnected', `Cannot use the plugin ${this.name}: it is ${why}`, isPassing, {
      hint: 'Call init first, and do what needs etcd in onConnect.',
    })
  }
}

function misuse(message: string): EtcdMirrorError {
  return new EtcdMirrorError('InvalidArgument', message, false)
}
