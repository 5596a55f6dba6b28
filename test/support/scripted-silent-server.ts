import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'

/** A server on loopback that accepts connections and never says a word, as a frozen one does. */
export async function startSilentServer(): Promise<SilentServer> {
  const server = createServer()
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return new SilentServer(server)
}

export class SilentServer implements AsyncDisposable {
  readonly #server: Server
  readonly #sockets = new Set<Socket>()

  constructor(server: Server) {
    this.#server = server
    server.on('connection', (socket) => {
      this.#sockets.add(socket)
      socket.on('error', () => {}).on('close', () => this.#sockets.delete(socket))
      socket.resume()
    })
  }

  /** host:port */
  get endpoint(): string {
    const address = this.#server.address()
    if (address === null || typeof address === 'string') throw new Error('This server is not listening')
    return `127.0.0.1:${address.port}`
  }

  get connectionCount(): number {
    return this.#sockets.size
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.destroy()
    this.#server.close()
  }
}
