import type { Socket } from 'node:net'
import type { ChannelCredentials } from '@grpc/grpc-js'

/**
 * The sockets of one client. grpc-js leaves one open whose HTTP/2 session is still being set up when its client is closed:
 * a frozen server, which accepts and never answers, would collect one with every try.
 */
export class DialingSockets {
  readonly #sockets = new Set<Socket>()
  #isDestroyed = false

  /** The same credentials; what connects with them is known here. */
  track(credentials: ChannelCredentials): ChannelCredentials {
    const create: ChannelCredentials['_createSecureConnector'] = (...given) => {
      const connector = credentials._createSecureConnector(...given)
      return {
        connect: (socket) => {
          if (this.#isDestroyed) return Promise.reject(new Error('the client was closed'))
          this.#sockets.add(socket)
          socket.once('close', () => this.#sockets.delete(socket))
          return connector.connect(socket)
        },
        waitForReady: () => connector.waitForReady(),
        getCallCredentials: () => connector.getCallCredentials(),
        destroy: () => connector.destroy(),
      }
    }
    return Object.create(credentials, { _createSecureConnector: { value: create } })
  }

  /** Closes them, and those whose TCP connection is still on its way. */
  destroy(): void {
    this.#isDestroyed = true
    for (const socket of this.#sockets) socket.destroy()
  }
}
