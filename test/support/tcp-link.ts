import type { Socket } from 'node:net'
import type { Direction } from './tcp-proxy.ts'

/** One proxied connection: two sockets and what flows between them. */
export class Link {
  onClose: () => void = () => {}
  onScheduledCut: () => void = () => {}
  readonly #client: Socket
  readonly #upstream: Socket
  readonly #requests: Flow
  readonly #responses: Flow
  #bytesLeft = Number.POSITIVE_INFINITY

  constructor(client: Socket, upstream: Socket) {
    this.#client = client
    this.#upstream = upstream
    this.#requests = new Flow(client, upstream, (chunk) => upstream.write(chunk))
    this.#responses = new Flow(upstream, client, (chunk) => this.#respond(chunk))
    for (const socket of [client, upstream]) {
      socket.on('error', () => this.cut())
      socket.on('close', () => {
        if (client.destroyed && upstream.destroyed) this.onClose()
      })
    }
  }

  cut(): void {
    this.#requests.stop()
    this.#responses.stop()
    this.#client.destroy()
    this.#upstream.destroy()
  }

  update(frozen: ReadonlySet<Direction>, bytesPerSecond: number, latencyMs = 0): void {
    this.#requests.update(frozen.has('requests'), bytesPerSecond, latencyMs)
    this.#responses.update(frozen.has('responses'), bytesPerSecond, latencyMs)
  }

  cutAfterBytes(bytes: number): void {
    this.#bytesLeft = bytes
  }

  #respond(chunk: Buffer): boolean {
    if (chunk.length < this.#bytesLeft) {
      this.#bytesLeft -= chunk.length
      return this.#client.write(chunk)
    }
    const last = chunk.subarray(0, this.#bytesLeft)
    this.#bytesLeft = Number.POSITIVE_INFINITY
    this.#requests.stop()
    this.#responses.stop()
    this.#upstream.destroy()
    // An end, not a reset: a reset would throw away the bytes that the client has not read yet. What it still sends is
    // read to nowhere for the same reason.
    this.#client.removeAllListeners('data').resume().end(last)
    this.onScheduledCut()
    return true
  }
}

type Hold = 'frozen' | 'backlog' | 'rate' | 'latency'

/** One direction: paused while anything holds it back. */
class Flow {
  readonly #from: Socket
  readonly #holds = new Set<Hold>()
  #bytesPerSecond = Number.POSITIVE_INFINITY
  #latencyMs = 0
  #timer: NodeJS.Timeout | undefined
  #latency: NodeJS.Timeout | undefined

  constructor(from: Socket, to: Socket, write: (chunk: Buffer) => boolean) {
    this.#from = from
    const forward = (chunk: Buffer) => {
      if (!write(chunk)) this.#hold('backlog')
      this.#payFor(chunk.length)
    }
    from.on('data', (chunk: Buffer) => (this.#latencyMs > 0 ? this.#later(() => forward(chunk)) : forward(chunk)))
    from.on('end', () => to.end())
    to.on('drain', () => this.#release('backlog'))
  }

  update(isFrozen: boolean, bytesPerSecond: number, latencyMs: number): void {
    this.#bytesPerSecond = bytesPerSecond
    this.#latencyMs = latencyMs
    if (isFrozen) this.#hold('frozen')
    else this.#release('frozen')
  }

  stop(): void {
    clearTimeout(this.#timer)
    clearTimeout(this.#latency)
    this.#holds.clear()
  }

  /** Nothing else is read meanwhile, so that the order stays. */
  #later(forward: () => void): void {
    this.#hold('latency')
    this.#latency = setTimeout(() => {
      forward()
      this.#release('latency')
    }, this.#latencyMs)
  }

  #payFor(bytes: number): void {
    const waitMs = (bytes / this.#bytesPerSecond) * 1000
    if (waitMs < 1) return
    this.#hold('rate')
    this.#timer = setTimeout(() => this.#release('rate'), waitMs)
  }

  #hold(reason: Hold): void {
    this.#holds.add(reason)
    this.#from.pause()
  }

  #release(reason: Hold): void {
    this.#holds.delete(reason)
    if (this.#holds.size === 0) this.#from.resume()
  }
}
