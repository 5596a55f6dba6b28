import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { freePort } from './free-port.ts'
import { Link } from './tcp-link.ts'

/** `requests` flow from client to server, `responses` the other way. */
export type Direction = 'requests' | 'responses'

/** Starts a loopback proxy in front of a TCP port. */
export async function startTcpProxy(targetPort: number): Promise<TcpProxy> {
  const proxy = new TcpProxy(targetPort, await freePort())
  await proxy.accept()
  return proxy
}

/** A network that tests can break. Its port stays the same for its whole life. */
export class TcpProxy implements AsyncDisposable {
  readonly port: number
  readonly #links = new Set<Link>()
  readonly #frozen = new Set<Direction>()
  #targetPort: number
  #server: Server | undefined
  #accepted = 0
  #bytesPerSecond = Number.POSITIVE_INFINITY
  #latencyMs = 0
  #scheduledCut: { afterBytes: number; timesLeft: number; done: () => void } | undefined

  constructor(targetPort: number, port: number) {
    this.#targetPort = targetPort
    this.port = port
  }

  get endpoint(): string {
    return `http://127.0.0.1:${this.port}`
  }

  /** Connections that are open now. */
  get connectionCount(): number {
    return this.#links.size
  }

  /** Connections that were ever accepted. */
  get acceptedCount(): number {
    return this.#accepted
  }

  /** Breaks every open connection now; new ones are still accepted. */
  cut(): void {
    for (const link of this.#links) link.cut()
  }

  /** New connections are refused (nothing listens); open ones stay. */
  refuse(): void {
    this.#server?.close()
    this.#server = undefined
  }

  /** Ends `refuse`. */
  async accept(): Promise<void> {
    if (this.#server !== undefined) return
    this.#server = createServer({ noDelay: true, allowHalfOpen: true }, (client) => this.#link(client))
    await once(this.#server.listen(this.port, '127.0.0.1'), 'listening')
  }

  /** Stops forwarding, default both ways; connections stay open and new ones are accepted, silent as well. */
  freeze(...directions: Direction[]): void {
    for (const direction of directions.length > 0 ? directions : BOTH) this.#frozen.add(direction)
    this.#updateLinks()
  }

  /** Ends `freeze` both ways; what was held back is delivered. */
  thaw(): void {
    this.#frozen.clear()
    this.#updateLinks()
  }

  /** Speed of each connection and direction; Infinity (the default) = unlimited. */
  limit(bytesPerSecond: number): void {
    this.#bytesPerSecond = bytesPerSecond
    this.#updateLinks()
  }

  /** What comes is held for so long in each direction, and then goes on; 0 (the default) = not at all. */
  delay(milliseconds: number): void {
    this.#latencyMs = milliseconds
    this.#updateLinks()
  }

  /** Another server takes the place of the one behind the proxy: open connections break, new ones go to it. */
  retarget(targetPort: number): void {
    this.#targetPort = targetPort
    this.cut()
  }

  /**
   * Ends a connection once it has forwarded exactly `bytes` of responses, counted per connection from this call on (or
   * from its beginning). Resolves after `times` connections (default 1) were ended so; later ones live.
   */
  cutAfterBytes(bytes: number, { times = 1 } = {}): Promise<void> {
    return new Promise((done) => {
      this.#scheduledCut = { afterBytes: bytes, timesLeft: times, done }
      for (const link of this.#links) link.cutAfterBytes(bytes)
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const server = this.#server
    this.refuse()
    this.cut()
    if (server?.listening) await once(server, 'close')
  }

  #link(client: Socket): void {
    this.#accepted += 1
    const link = new Link(
      client,
      connect({ port: this.#targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true }),
    )
    this.#links.add(link)
    link.onClose = () => this.#links.delete(link)
    link.onScheduledCut = () => this.#countCut()
    if (this.#scheduledCut) link.cutAfterBytes(this.#scheduledCut.afterBytes)
    this.#updateLinks()
  }

  #countCut(): void {
    const cut = this.#scheduledCut
    if (cut === undefined) return
    cut.timesLeft -= 1
    if (cut.timesLeft > 0) return
    this.#scheduledCut = undefined
    for (const link of this.#links) link.cutAfterBytes(Number.POSITIVE_INFINITY)
    cut.done()
  }

  #updateLinks(): void {
    for (const link of this.#links) link.update(this.#frozen, this.#bytesPerSecond, this.#latencyMs)
  }
}

const BOTH: readonly Direction[] = ['requests', 'responses']
