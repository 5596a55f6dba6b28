import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { Agent, createServer, request as send } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { pipeline } from 'node:stream'
import type { KubeApi } from './kube-api.ts'

/** Starts a proxy in front of an API server. */
export async function startKubeProxy(api: KubeApi): Promise<KubeProxy> {
  const identity = await api.identity()
  const proxy = new KubeProxy(api, identity)
  await proxy.listen()
  return proxy
}

/** A way to an API server that tests can close, also to some writes, and that can make the server's watches short. */
export class KubeProxy implements AsyncDisposable {
  /** Asks the server for no longer watches than this; default: as the client does. */
  watchSeconds: number | undefined
  /** Which writes are answered with 503 Service Unavailable; default: none. */
  refuses: (pathname: string) => boolean = () => false
  readonly #api: KubeApi
  readonly #agent: Agent
  readonly #sockets = new Set<Socket>()
  readonly #server: ReturnType<typeof createServer>
  readonly #expired = new Map<string, number>()
  readonly #writes: string[] = []
  #gone = 0
  #isClosed = false

  constructor(api: KubeApi, { cert, key }: { readonly cert: string; readonly key: string }) {
    this.#api = api
    this.#agent = new Agent({ ca: cert, keepAlive: true })
    this.#server = createServer({ cert, key }, (incoming, outgoing) => this.#forward(incoming, outgoing))
    this.#server.on('connection', (socket: Socket) => {
      if (this.#isClosed) return socket.destroy()
      this.#sockets.add(socket)
      return socket.on('close', () => this.#sockets.delete(socket))
    })
  }

  get server(): string {
    return `https://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Watches that were answered with 410 Gone. */
  get gone(): number {
    return this.#gone
  }

  /** What requests to write have asked for, each time that they came. */
  get writes(): readonly string[] {
    return this.#writes
  }

  /** Watches of a resource that the server has ended in good order. */
  expired(plural: string): number {
    return this.#expired.get(plural) ?? 0
  }

  async listen(): Promise<void> {
    await once(this.#server.listen(0, '127.0.0.1'), 'listening')
  }

  /** Breaks every connection. */
  cut(): void {
    for (const socket of this.#sockets) socket.destroy()
  }

  /** Breaks every connection, and takes no further ones. */
  close(): void {
    this.#isClosed = true
    this.cut()
  }

  /** Ends `close`. */
  open(): void {
    this.#isClosed = false
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close()
    this.#agent.destroy()
    this.#server.close()
    await once(this.#server, 'close')
  }

  #forward(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const url = new URL(incoming.url ?? '/', this.#api.server)
    const isWatch = url.searchParams.get('watch') === 'true'
    if (isWatch && this.watchSeconds !== undefined) url.searchParams.set('timeoutSeconds', String(this.watchSeconds))
    const { method, headers } = incoming
    if (method !== 'GET') this.#writes.push(url.pathname)
    if (method !== 'GET' && this.refuses(url.pathname)) {
      incoming.resume()
      outgoing.writeHead(503).end()
      return
    }
    const onward = send(url, { method, headers, agent: this.#agent }, (answer) => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      // A watch is open before anything happens.
      outgoing.flushHeaders()
      if (isWatch) this.#look(url, answer)
      pipeline(answer, outgoing, () => undefined)
    })
    onward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => onward.destroy())
    pipeline(incoming, onward, () => undefined)
  }

  #look({ pathname }: URL, answer: IncomingMessage): void {
    const plural = pathname.slice(pathname.lastIndexOf('/') + 1)
    let isGone = answer.statusCode === 410
    answer.on('data', (chunk: Buffer) => {
      isGone ||= chunk.includes('"code":410')
    })
    answer.on('end', () => {
      if (isGone) this.#gone += 1
      else this.#expired.set(plural, this.expired(plural) + 1)
    })
  }
}
