import { once } from 'node:events'
import type { Server } from 'node:http'
import { type AddressInfo, BlockList, type Socket } from 'node:net'

import type { Logger } from '../util/logger.ts'
import { bindError } from './bind-error.ts'
import { createHttpApp, type HttpSources } from './http-app.ts'
import type { HttpBind } from './options.ts'
import { refuseBrokenRequest, refuseConnect } from './refuse-broken-request.ts'

// An `import` of node:http reads every export of it, and one of those loads all of undici: 48 ms of a start of 250.
const { createServer } = process.getBuiltinModule('node:http')

export interface HttpServerOptions extends HttpSources {
  readonly bind: HttpBind
  readonly logger: Logger
  /** How long a client may take to send its request, milliseconds. Default 5,000. */
  readonly requestTimeoutMs?: number
}

export interface HttpServer {
  /** What was really bound: `port` is never 0. */
  readonly address: { readonly host: string; readonly port: number }
  /** Stops listening, lets running answers end and cuts the rest: done within a second. Idempotent. */
  close(): Promise<void>
}

/** Far above the idle connections that a careless client leaves open, so that a probe still finds a place. */
const MAX_CONNECTIONS = 4096
const KEEP_ALIVE_MS = 5000
/** A client that stops reading its answer is let go after this. */
const STALLED_MS = 30_000
const MAX_HEADER_BYTES = 8192
const CLOSE_GRACE_MS = 500

/**
 * Serves probes, metrics and status.
 *
 * @throws EtcdMirrorError `AddressInUse`: the address could not be bound.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<HttpServer> {
  const { bind, logger, requestTimeoutMs = 5000 } = options
  const server = createServer({
    requestTimeout: requestTimeoutMs,
    connectionsCheckingInterval: Math.min(1000, requestTimeoutMs),
    keepAliveTimeout: KEEP_ALIVE_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  })
  server.maxConnections = MAX_CONNECTIONS
  server.timeout = STALLED_MS
  server.on('clientError', (error, socket) => refuseBrokenRequest(error, socket as Socket))
  server.on('connect', (_request, socket) => refuseConnect(socket as Socket))
  const address = await listen(server, bind)
  const showKeyNames = isLoopback(address)
  server.on('request', createHttpApp({ ...options, showKeyNames }))
  server.on('error', (err) => logger.warn({ err }, 'http server reported an error'))
  logger.info({ host: address.address, port: address.port }, 'http server listening')
  let closing: Promise<void> | undefined
  return {
    address: { host: address.address, port: address.port },
    close() {
      closing ??= closeServer(server)
      return closing
    },
  }
}

async function listen(server: Server, { host, port }: HttpBind): Promise<AddressInfo> {
  server.listen(host === '' ? { port } : { host, port })
  try {
    await once(server, 'listening')
  } catch (error) {
    throw bindError(error as NodeJS.ErrnoException, { host, port })
  }
  return server.address() as AddressInfo
}

async function closeServer(server: Server): Promise<void> {
  const closed = once(server, 'close')
  server.close()
  const cut = setTimeout(() => server.closeAllConnections(), CLOSE_GRACE_MS)
  await closed
  clearTimeout(cut)
}

const LOOPBACK = new BlockList()
LOOPBACK.addSubnet('127.0.0.0', 8, 'ipv4')
LOOPBACK.addAddress('::1', 'ipv6')

function isLoopback({ address, family }: AddressInfo): boolean {
  return LOOPBACK.check(address, family === 'IPv6' ? 'ipv6' : 'ipv4')
}
