import { Agent, type Dispatcher } from 'undici'
import type { KubeCredentials, KubeTls } from './kube-credentials.ts'
import { KubeError } from './kube-error.ts'
import { readWhole, type WholeAnswer } from './whole-answer.ts'

const KEEP_ALIVE_MS = 30_000
const CONNECT_MS = 10_000

export interface KubeRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'
  /** With its query. */
  readonly path: string
  readonly body?: string | undefined
  readonly contentType?: string | undefined
  readonly signal: AbortSignal
  /** Longest silence before and between two pieces of the answer, milliseconds. Default: 45,000. */
  readonly idleMs?: number | undefined
}

export type KubeResponse = Dispatcher.ResponseData

/** HTTP to one API server, through one agent for all requests: connections are kept, and made anew with new certificates. */
export class KubeTransport {
  readonly #credentials: KubeCredentials
  readonly #userAgent: string
  readonly #server: URL
  #agent: { readonly tls: KubeTls; readonly dispatcher: Agent } | undefined

  /** Throws `KubeError` when the server is no URL. */
  constructor(credentials: KubeCredentials, userAgent: string) {
    this.#credentials = credentials
    this.#userAgent = userAgent
    this.#server = urlOf(credentials.server)
  }

  /**
   * Resolves with the answer, whatever its status; its body must be read. Rejects with `KubeError` KubeUnavailable when
   * there is none, and with the abort reason.
   */
  async request(asked: KubeRequest): Promise<KubeResponse> {
    const { dispatcher, ...options } = await this.#optionsOf(asked)
    try {
      return await dispatcher.request({ ...options, signal: asked.signal })
    } catch (error) {
      throw this.unavailable(error, asked.signal)
    }
  }

  /** As `request`, with all of the answer. */
  async whole(asked: KubeRequest): Promise<WholeAnswer> {
    const { dispatcher, ...options } = await this.#optionsOf(asked)
    try {
      return await readWhole(dispatcher, options, asked.signal)
    } catch (error) {
      throw this.unavailable(error, asked.signal)
    }
  }

  /** The error that a broken connection stands for; throws the abort reason. */
  unavailable(error: unknown, signal: AbortSignal): KubeError {
    signal.throwIfAborted()
    const state = error instanceof Error && 'code' in error ? String(error.code) : 'the connection broke'
    return new KubeError(
      'KubeUnavailable',
      `Cannot reach the Kubernetes API at ${this.#credentials.server}: ${state}`,
      {
        cause: error,
      },
    )
  }

  /** Ends every request. */
  async close(): Promise<void> {
    await this.#agent?.dispatcher.destroy()
    this.#agent = undefined
  }

  async #optionsOf({ method, path, body, contentType, signal, idleMs = 45_000 }: KubeRequest) {
    signal.throwIfAborted()
    const { authorization, tls } = await this.#credentials.current()
    signal.throwIfAborted()
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': this.#userAgent }
    if (authorization !== undefined) headers.authorization = authorization
    if (contentType !== undefined) headers['content-type'] = contentType
    const { origin, pathname } = this.#server
    return {
      dispatcher: this.#dispatcher(tls),
      origin,
      // Behind some gateways a cluster is a path.
      path: pathname === '/' ? path : pathname + path,
      method,
      headers,
      body: body ?? null,
      headersTimeout: idleMs,
      bodyTimeout: idleMs,
    }
  }

  #dispatcher(tls: KubeTls): Agent {
    if (this.#agent?.tls === tls) return this.#agent.dispatcher
    // What is under way on the connections of before goes on to its end.
    this.#agent?.dispatcher.close().catch(() => undefined)
    // One connection a request in flight, however many: watches, which last, must not wait for each other.
    const dispatcher = new Agent({
      keepAliveTimeout: KEEP_ALIVE_MS,
      connect: { ...tls, timeout: CONNECT_MS, keepAlive: true },
      allowH2: false,
    })
    this.#agent = { tls, dispatcher }
    return dispatcher
  }
}

function urlOf(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined
  if (url?.protocol === 'https:' || url?.protocol === 'http:') return url
  throw new KubeError('KubeDenied', `Cannot reach the Kubernetes API at ${server}: that is no URL of https or http`, {
    hint: 'Write the server of the kubeconfig as https://host:port.',
  })
}
