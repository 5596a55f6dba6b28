import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { Link } from './tcp-link.ts'
import type { Direction } from './tcp-proxy.ts'

interface PeerLink {
  readonly link: Link
  /** Member id of who dialed, in hex; undefined = it did not say. */
  readonly from: string | undefined
  readonly to: string
}

/** A member by the hex id that it introduces itself with, or undefined while that is not known. */
export type MemberName = (id: string) => string | undefined

/**
 * The network between the members of a cluster: a proxy in front of each, and messages from one to another that can be
 * swallowed. Both ends of a connection carry messages, so what is blocked is the direction of the messages, whoever dialed.
 */
export class PeerNetwork implements AsyncDisposable {
  readonly #servers = new Map<string, Server>()
  readonly #links = new Set<PeerLink>()
  readonly #blocked = new Set<string>()
  readonly #nameOf: MemberName

  constructor(nameOf: MemberName) {
    this.#nameOf = nameOf
  }

  /** Puts a proxy on `port` in front of a member's peer port. */
  async join(to: string, port: number, targetPort: number): Promise<void> {
    const server = createServer({ noDelay: true, allowHalfOpen: true }, (client) =>
      this.#accept(client, to, targetPort),
    )
    this.#servers.set(to, server)
    await once(server.listen(port, '127.0.0.1'), 'listening')
  }

  /** Messages from one member to another are swallowed; connections stay open, as behind a firewall that drops. */
  block(from: string, to: string): void {
    this.#blocked.add(pairOf(from, to))
    this.#update()
  }

  /** Nothing from or to that member gets through. */
  isolate(name: string): void {
    for (const other of this.#servers.keys()) {
      if (other === name) continue
      this.#blocked.add(pairOf(name, other))
      this.#blocked.add(pairOf(other, name))
    }
    this.#update()
  }

  /** Ends every `block` and `isolate`; what was held back is delivered. */
  heal(): void {
    this.#blocked.clear()
    this.#update()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { link } of this.#links) link.cut()
    for (const server of this.#servers.values()) server.close()
  }

  #accept(client: Socket, to: string, targetPort: number): void {
    client.on('error', () => client.destroy())
    // The one who dials speaks first, and says who it is.
    client.once('data', (first: Buffer) => {
      client.pause()
      client.unshift(first)
      const from = /^x-server-from: *([0-9a-f]+)/im.exec(first.toString('latin1'))?.[1]
      const upstream = connect({ port: targetPort, host: '127.0.0.1', allowHalfOpen: true, noDelay: true })
      const entry = { link: new Link(client, upstream), from, to }
      this.#links.add(entry)
      entry.link.onClose = () => this.#links.delete(entry)
      this.#updateLink(entry)
    })
  }

  #update(): void {
    for (const entry of this.#links) this.#updateLink(entry)
  }

  #updateLink({ link, from: id, to }: PeerLink): void {
    const from = id === undefined ? undefined : this.#nameOf(id)
    const frozen = new Set<Direction>()
    if (from !== undefined && this.#blocked.has(pairOf(from, to))) frozen.add('requests')
    if (from !== undefined && this.#blocked.has(pairOf(to, from))) frozen.add('responses')
    link.update(frozen, Number.POSITIVE_INFINITY)
  }
}

function pairOf(from: string, to: string): string {
  return `${from}>${to}`
}
