import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.ts'

/** What lies between the mirror and each member of the store. */
export class Network implements AsyncDisposable {
  readonly proxies: readonly TcpProxy[]

  static async inFrontOf(ports: readonly number[]): Promise<Network> {
    return new Network(await Promise.all(ports.map((port) => startTcpProxy(port))))
  }

  private constructor(proxies: readonly TcpProxy[]) {
    this.proxies = proxies
  }

  get ports(): readonly number[] {
    return this.proxies.map(({ port }) => port)
  }

  each(act: (proxy: TcpProxy) => void): void {
    for (const proxy of this.proxies) act(proxy)
  }

  /** Nothing gets through from now on, and nothing is on its way. */
  disconnect(): void {
    this.each((proxy) => {
      proxy.refuse()
      proxy.cut()
    })
  }

  /** Everything is as on a good day. */
  async heal(): Promise<void> {
    this.each((proxy) => {
      proxy.thaw()
      proxy.limit(Number.POSITIVE_INFINITY)
      proxy.delay(0)
    })
    await Promise.all(this.proxies.map((proxy) => proxy.accept()))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.proxies.map((proxy) => proxy[Symbol.asyncDispose]()))
  }
}
