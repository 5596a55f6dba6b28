import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import fc from 'fast-check'
import { StatusCheck } from '../../../../src/library/status-check.ts'
import { HealthRegistry } from '../../../../src/observe/health-registry.ts'
import { createMetrics } from '../../../../src/observe/metrics-registry.ts'
import { startHttpServer } from '../../../../src/server/http-server.ts'
import { silentLogger } from '../../../../src/util/logger.ts'

const method = fc.oneof(
  fc.constantFrom('GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS', 'TRACE', 'CONNECT', 'PRI', 'get'),
  fc.string({ maxLength: 8 }),
)
const segment = fc.oneof(
  fc.constantFrom(
    'livez',
    'readyz',
    'metrics',
    'status',
    'healthz',
    '..',
    '.',
    '%2e%2e',
    '%00',
    '%',
    '%zz',
    '%ff',
    '//',
    '?verbose',
    '?verbose=1&a[b]=c',
    '#',
    '\\',
    '*',
    'http://h/livez',
    '@',
    ';',
    '__proto__',
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 10 }),
  fc.nat(1500).map((length) => 'x'.repeat(length)),
)
const path = fc.array(segment, { maxLength: 4 }).map((segments) => `/${segments.join('/')}`)
const headerLine = fc.oneof(
  fc.constantFrom(
    'Content-Length: 5',
    'Content-Length: -1',
    'Content-Length: 99999999999',
    'Transfer-Encoding: chunked',
    'Transfer-Encoding: x',
    'Expect: 100-continue',
    'Connection: Upgrade',
    'Upgrade: h2c',
    'Upgrade: websocket',
    'Host: a',
    'Host:',
    'Range: bytes=0-1',
    'Accept-Encoding: gzip',
    'If-None-Match: *',
    ': x',
    ' folded',
    'X: \u0000',
  ),
  fc.string({ unit: 'binary-ascii', maxLength: 20 }),
  fc.nat(9000).map((length) => `X: ${'x'.repeat(length)}`),
)
const request = fc
  .record({
    method,
    path,
    version: fc.constantFrom('HTTP/1.1', 'HTTP/1.0', 'HTTP/2.0', '', 'HTTP/9'),
    headers: fc.array(headerLine, { maxLength: 5 }),
    body: fc.string({ maxLength: 12 }),
  })
  .map(({ method, path, version, headers, body }) =>
    [`${method} ${path} ${version}`, 'Host: a', 'Connection: close', ...headers, '', body].join('\r\n'),
  )
const STATUS = new Set([100, 200, 304, 400, 404, 405, 408, 413, 414, 417, 431, 503])

let port: Promise<number> | undefined

/** One server for all inputs; it ends with the process. */
async function start(): Promise<number> {
  const health = new HealthRegistry()
  const { address } = await startHttpServer({
    bind: { host: '127.0.0.1', port: 0 },
    requestTimeoutMs: 200,
    health,
    metrics: createMetrics(),
    status: () => {
      const at = new Date(0)
      const config = { loadedAt: at, files: [], usesAcceptedCopy: false, lastReload: undefined }
      return { version: '1', startedAt: at, config, compaction: undefined, mirrors: [] }
    },
    seedHealth: () => new StatusCheck({ buildVersion: '1' }).status(),
    logger: silentLogger,
  })
  return address.port
}

async function ask(bytes: string): Promise<string> {
  port ??= start()
  const socket = connect({ host: '127.0.0.1', port: await port })
  socket.end(Buffer.from(bytes, 'latin1'))
  // A server that has answered may cut what it will not read.
  return await text(socket).catch(() => '')
}

export const httpTarget = {
  name: 'http',
  slice: 500,
  property: fc.asyncProperty(request, async (bytes) => {
    const answer = await ask(bytes)
    const status = Number(/^HTTP\/1\.1 (\d{3}) /.exec(answer)?.[1] ?? 400)
    if (!STATUS.has(status)) throw new Error(`Answered ${answer.slice(0, 200)}`)
    const isRead = /^(GET|HEAD) /.test(bytes)
    if (status === 200 && !isRead) throw new Error('Answered 200 to what is neither GET nor HEAD')
    const probe = await ask('GET /livez HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n')
    if (!probe.startsWith('HTTP/1.1 200 ')) throw new Error('Does not answer a probe any more')
  }),
}
