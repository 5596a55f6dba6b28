import { readFile } from 'node:fs/promises'
import { setImmediate as nextTurn } from 'node:timers/promises'
import {
  type ChannelCredentials,
  type ChannelOptions,
  type Client,
  type ClientUnaryCall,
  connectivityState,
  Metadata,
} from '@grpc/grpc-js'
import type { Clock } from '../util/clock.ts'
import { systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { type Metrics, noMetrics } from '../util/metrics.ts'
import { withoutLineEnd } from '../util/without-line-end.ts'
import { AuthError } from './auth-error.ts'
import { channelCredentials } from './credentials.ts'
import { EndpointPool } from './endpoint-pool.ts'
import type { GivenCredentials } from './given-credentials.ts'
import type { RequestOf, ResponseOf, UnaryMethod } from './methods.ts'
import type { EtcdOptions } from './options.ts'
import type { CallOptions, EtcdRpc, WatchDuplex } from './rpc.ts'
import { type Token, TokenSource } from './token-source.ts'
import { isTokenError, translateError, wasNeverSent } from './translate-error.ts'
import { UNARY_CODECS } from './unary-codecs.ts'
import { UnavailableError } from './unavailable-error.ts'
import { openWatchDuplex } from './watch-duplex.ts'

/** Larger answers are refused by our side ("larger than max") and asked for again in smaller pages or fragments. */
const RECEIVE_LIMIT_BYTES = 64 * 1024 * 1024

/** What may come ahead. With HTTP/2's 64 KiB a busy stream costs a sixth more: it sends window updates all the time. */
const FLOW_CONTROL_WINDOW_BYTES = 1024 * 1024

/** Calls that change nothing when they are repeated: they may be sent to a second endpoint when the first one's outcome is unknown. */
const READS: ReadonlySet<UnaryMethod> = new Set([
  'range',
  'status',
  'memberList',
  'leaseTimeToLive',
  'leaseKeepAlive',
  'authenticate',
])

/** Completes "Cannot …" for people. */
const ACTIONS: Readonly<Record<UnaryMethod, string>> = {
  range: 'read from etcd at',
  put: 'write to etcd at',
  deleteRange: 'delete from etcd at',
  txn: 'commit a transaction to etcd at',
  compact: 'compact etcd at',
  leaseGrant: 'grant a lease on etcd at',
  leaseKeepAlive: 'keep a lease alive on etcd at',
  leaseRevoke: 'revoke a lease on etcd at',
  leaseTimeToLive: 'read a lease from etcd at',
  status: 'read the status of etcd at',
  memberList: 'list the members of etcd at',
  authenticate: 'log in to etcd at',
}

/** etcd answers a create at once; a proxy that lost its backend may not. */
const CREATE_TIMEOUT_MS = 10_000

export interface EtcdClientDependencies {
  readonly clock?: Clock
  readonly metrics?: Metrics
  /** How long a watch may take to be created, milliseconds. Default 10,000. */
  readonly createTimeoutMs?: number
  /** In place of the files that the options name. Default: the files. */
  readonly given?: GivenCredentials | undefined
}

interface AttemptOptions {
  readonly endpoint: string
  readonly token: Token | undefined
  readonly deadline: number
  readonly signal: AbortSignal
}

/**
 * etcd over gRPC: failover over the endpoints, deadlines, keepalive, require-leader, TLS, user and password. Unary calls
 * and watches use separate connections. It never retries with waits: backoff is the caller's.
 */
export class EtcdClient implements EtcdRpc {
  readonly #options: EtcdOptions
  readonly #unaryPool: EndpointPool
  readonly #watchPool: EndpointPool
  readonly #tokens: TokenSource | undefined
  readonly #metrics: Metrics
  readonly #clock: Clock
  readonly #createTimeoutMs: number
  readonly #given: GivenCredentials | undefined
  readonly #closed = new AbortController()

  /** Reads the TLS files; connects lazily. Throws `AuthError` (`TlsRefused`) when a file cannot be used. */
  static async open(options: EtcdOptions, dependencies: EtcdClientDependencies = {}): Promise<EtcdClient> {
    return new EtcdClient(options, await channelCredentials(options.tls, dependencies.given), dependencies)
  }

  private constructor(
    options: EtcdOptions,
    credentials: ChannelCredentials,
    { clock = systemClock, metrics = noMetrics, createTimeoutMs = CREATE_TIMEOUT_MS, given }: EtcdClientDependencies,
  ) {
    this.#options = options
    this.#createTimeoutMs = createTimeoutMs
    this.#clock = clock
    this.#given = given
    this.#metrics = metrics
    const pool = { endpoints: options.endpoints, credentials, channelOptions: channelOptions(options) }
    this.#unaryPool = new EndpointPool(pool)
    this.#watchPool = new EndpointPool(pool)
    this.#tokens =
      options.username === undefined
        ? undefined
        : new TokenSource({ clock, closed: this.#closed.signal, authenticate: () => this.#authenticate() })
  }

  async unary<Method extends UnaryMethod>(
    method: Method,
    request: RequestOf<Method>,
    { signal, timeoutMs = this.#options.operationTimeoutMs }: CallOptions,
  ): Promise<ResponseOf<Method>> {
    const deadline = this.#clock.monotonic() + timeoutMs
    let refreshed = false
    for (let tried = 1; ; tried++) {
      const token = await this.#token(method, signal)
      const { endpoint } = this.#unaryPool
      const client = this.#unaryPool.client()
      try {
        const response = await this.#attempt(client, method, request, { endpoint, token, deadline, signal })
        this.#metrics.add('etcd_mirror_etcd_requests_total', { method, result: 'ok' })
        return response
      } catch (cause) {
        this.#throwIfClosed(signal)
        const error = translateError(cause, `${ACTIONS[method]} ${endpoint}`)
        this.#metrics.add('etcd_mirror_etcd_requests_total', { method, result: error.code })
        if (isTokenError(cause) && token && !refreshed) {
          refreshed = true
          this.#tokens?.invalidate(token)
          continue
        }
        if (!isEndpointFailure(error)) throw error
        this.#unaryPool.rotate(client)
        const again = READS.has(method) || wasNeverSent(cause)
        if (!again || !this.#hasTimeLeft(error, deadline) || tried >= this.#unaryPool.size) throw error
      }
    }
  }

  async watch({ signal }: { readonly signal: AbortSignal }): Promise<WatchDuplex> {
    const token = await this.#token('range', signal)
    const client = this.#watchPool.client()
    const endpoint = this.#watchPool.endpoint
    return openWatchDuplex({
      client,
      metadata: metadataOf(token),
      dialTimeoutMs: this.#options.dialTimeoutMs,
      createTimeoutMs: this.#createTimeoutMs,
      signal: AbortSignal.any([signal, this.#closed.signal]),
      failed: async (cause) => {
        const error = translateError(cause, `watch etcd at ${endpoint}`)
        if (isTokenError(cause) && token) this.#tokens?.invalidate(token)
        else if (isEndpointFailure(error)) this.#watchPool.rotate(client)
        return error
      },
    })
  }

  /** The endpoint unary calls go to now, host:port. */
  get endpoint(): string {
    return this.#unaryPool.endpoint
  }

  /** Ends every call and watch (they reject with `Closed`). Idempotent. */
  close(): void {
    this.#closed.abort(new EtcdMirrorError('Closed', 'Cannot call etcd: the connection is closed', false))
    this.#unaryPool.close()
    this.#watchPool.close()
  }

  #throwIfClosed(signal: AbortSignal): void {
    signal.throwIfAborted()
    this.#closed.signal.throwIfAborted()
  }

  #hasTimeLeft({ code }: EtcdMirrorError, deadline: number): boolean {
    // A timer may fire a little early: what is left then is no time to try, and would only rotate back.
    return code !== 'DeadlineExceeded' && this.#clock.monotonic() < deadline
  }

  async #token(method: UnaryMethod, signal: AbortSignal): Promise<Token | undefined> {
    this.#throwIfClosed(signal)
    const token = method === 'authenticate' ? undefined : await this.#tokens?.get(signal)
    // Nothing listens between the two: an abort in the meantime would go unnoticed.
    this.#throwIfClosed(signal)
    return token
  }

  async #authenticate(): Promise<string | undefined> {
    const { username = '', passwordFile = '' } = this.#options
    const password = this.#given?.password ?? (await readPassword(passwordFile))
    try {
      const { token } = await this.unary('authenticate', { name: username, password }, { signal: this.#closed.signal })
      return token
    } catch (error) {
      // A password that etcd does not ask for: switched on later, calls fail with "user name is empty" and bring us here again.
      if (error instanceof EtcdMirrorError && /authentication is not enabled/.test(error.message)) return undefined
      throw error
    }
  }

  #attempt<Method extends UnaryMethod>(
    client: Client,
    method: Method,
    request: RequestOf<Method>,
    { endpoint, token, deadline, signal }: AttemptOptions,
  ): Promise<ResponseOf<Method>> {
    const codec = UNARY_CODECS[method]
    const { promise, resolve, reject } = Promise.withResolvers<ResponseOf<Method>>()
    const call: ClientUnaryCall = client.makeUnaryRequest(
      codec.path,
      codec.encode,
      codec.decode,
      request,
      metadataOf(token),
      { deadline: Date.now() + Math.max(1, deadline - this.#clock.monotonic()) },
      (error, response) => {
        if (error) reject(error)
        else resolve(response as ResponseOf<Method>)
      },
    )
    const cancel = () => call.cancel()
    // Not by one signal made of both: that costs more than everything else here.
    const signals = [signal, this.#closed.signal]
    for (const each of signals) each.addEventListener('abort', cancel, { once: true })
    const dial = setTimeout(async () => {
      // After a busy moment the timer comes before the news that the connection is up.
      await nextTurn()
      if (isConnected(client)) return
      reject(new UnavailableError('Unavailable', `Cannot connect to etcd at ${endpoint}: no connection in time`))
      call.cancel()
    }, this.#options.dialTimeoutMs)
    return promise.finally(() => {
      clearTimeout(dial)
      for (const each of signals) each.removeEventListener('abort', cancel)
    })
  }
}

function channelOptions(options: EtcdOptions): ChannelOptions {
  const serverName = options.tls?.serverName
  return {
    'grpc.max_receive_message_length': RECEIVE_LIMIT_BYTES,
    'grpc-node.flow_control_window': FLOW_CONTROL_WINDOW_BYTES,
    'grpc.keepalive_time_ms': options.keepaliveTimeMs,
    'grpc.keepalive_timeout_ms': options.keepaliveTimeoutMs,
    ...(serverName !== undefined && {
      'grpc.ssl_target_name_override': serverName,
      'grpc.default_authority': serverName,
    }),
  }
}

function metadataOf(token: Token | undefined): Metadata {
  const metadata = new Metadata()
  // A member cut off from its quorum then ends our watch instead of leaving it silent.
  metadata.set('hasleader', 'true')
  if (token?.value !== undefined) metadata.set('token', token.value)
  return metadata
}

function isConnected(client: Client): boolean {
  return client.getChannel().getConnectivityState(false) === connectivityState.READY
}

function isEndpointFailure(error: EtcdMirrorError): boolean {
  return error instanceof UnavailableError || error.code === 'TlsRefused' || error.code === 'ProtocolError'
}

async function readPassword(path: string): Promise<string> {
  try {
    return withoutLineEnd(await readFile(path, 'utf8'))
  } catch (cause) {
    const state = cause instanceof Error && 'code' in cause ? String(cause.code) : 'unreadable'
    throw new AuthError('AuthenticationFailed', `Cannot read password-file ${path}: ${state}`, { cause })
  }
}
