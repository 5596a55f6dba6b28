import { Agent, type Dispatcher, request } from 'undici'
import type { KubeCredentials, KubeTls } from './kube-credentials.ts'
import { KubeError } from './kube-error.ts'

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
  #agent: { readonly tls: KubeTls; readonly dispatcher: Agent } | undefined

  constructor(credentials: KubeCredentials, userAgent: string) {
    this.#credentials = credentials
    this.#userAgent = userAgent
  }

  /**
   * Resolves with the answer, whatever its status; its body must be read. Rejects with `KubeError` KubeUnavailable when
   * there is none, and with the abort reason.
   */
  async request({ method, path, body, contentType, signal, idleMs = 45_000 }: KubeRequest): Promise<KubeResponse> {
    signal.throwIfAborted()
    const { authorization, tls } = await this.#credentials.current()
    const headers: Record<string, string> = { accept: 'application/json', 'user-agent': this.#userAgent }
    if (authorization !== undefined) headers.authorization = authorization
    if (contentType !== undefined) headers['content-type'] = contentType
    try {
      return await request(this.#credentials.server + path, {
        dispatcher: this.#dispatcher(tls),
        method,
        headers,
        body: body ?? null,
        signal,
        headersTimeout: idleMs,
        bodyTimeout: idleMs,
      })
    } catch (error) {
      throw this.unavailable(error, signal)
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
