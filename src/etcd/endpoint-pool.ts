import { type ChannelCredentials, type ChannelOptions, Client, connectivityState } from '@grpc/grpc-js'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { DialingSockets } from './dialing-sockets.ts'

export interface EndpointPoolOptions {
  /** host:port, at least one. */
  readonly endpoints: readonly string[]
  readonly credentials: ChannelCredentials
  readonly channelOptions: ChannelOptions
}

/**
 * One gRPC client for the endpoint in use, replaced by one for the next endpoint whenever the one in use fails. A fresh
 * client connects at once: the only backoff is the caller's.
 */
export class EndpointPool {
  readonly #options: EndpointPoolOptions
  #index = 0
  #client: Client | undefined
  #sockets = new DialingSockets()
  #closed = false

  constructor(options: EndpointPoolOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#options.endpoints.length
  }

  get endpoint(): string {
    return this.#options.endpoints[this.#index % this.size] as string
  }

  client(): Client {
    if (this.#closed) throw new EtcdMirrorError('Closed', 'Cannot call etcd: the connection is closed', false)
    this.#client ??= this.#connect()
    return this.#client
  }

  /** Moves on from a client that failed; a call that failed on an older client changes nothing. */
  rotate(failed: Client): void {
    if (this.#client !== failed) return
    this.#drop(failed)
    this.#index = (this.#index + 1) % this.size
  }

  close(): void {
    this.#closed = true
    if (this.#client) this.#drop(this.#client)
  }

  #drop(client: Client): void {
    // Calls of a connection that was set up may still end well.
    const isDialing = client.getChannel().getConnectivityState(false) === connectivityState.CONNECTING
    client.close()
    if (isDialing) this.#sockets.destroy()
    this.#client = undefined
  }

  #connect(): Client {
    this.#sockets = new DialingSockets()
    return new Client(this.endpoint, this.#sockets.track(this.#options.credentials), {
      // Without a pool of its own, two clients of one endpoint would share a connection, and range load would starve the watch.
      'grpc.use_local_subchannel_pool': 1,
      'grpc.service_config_disable_resolution': 1,
      ...this.#options.channelOptions,
    })
  }
}
