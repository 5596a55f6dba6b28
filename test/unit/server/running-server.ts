import { connect, type Socket } from 'node:net'
import { networkInterfaces } from 'node:os'
import { text } from 'node:stream/consumers'
import { onTestFinished } from 'vitest'

import type { AgentStatus, PluginState } from '../../../src/library/agent-status.ts'
import { HealthRegistry } from '../../../src/observe/health-registry.ts'
import { createMetrics } from '../../../src/observe/metrics-registry.ts'
import { type HttpServerOptions, startHttpServer } from '../../../src/server/http-server.ts'
import type { StatusReport } from '../../../src/server/status-report.ts'
import { captureLog } from '../observe/capture-log.ts'

export const REPORT: StatusReport = {
  version: '1.2.3',
  startedAt: new Date('2026-01-02T03:04:00Z'),
  config: {
    loadedAt: new Date('2026-01-02T03:04:00Z'),
    files: ['/etc/etcd-mirror/mirror.yaml'],
    usesAcceptedCopy: false,
    lastReload: undefined,
  },
  compaction: undefined,
  mirrors: [],
}

/** What the seed's probes show while etcd is in this state. */
export function seedHealth(state: PluginState, error?: string): AgentStatus {
  const lastChange = new Date('2026-01-02T03:04:05.900Z')
  const lastUpdate = new Date('2026-01-02T03:04:09.900Z')
  return {
    buildVersion: '1.2.3',
    state,
    startedAt: new Date('2026-01-02T03:04:00.900Z'),
    lastChange,
    lastUpdate,
    plugins: [{ name: 'etcd', state, error, lastChange, lastUpdate }],
    nonFatalPlugins: [],
  }
}

/** Containers often have IPv4 alone; the server must work there too. */
export const HAS_IPV6 = Object.values(networkInterfaces()).some((all) => all?.some(({ family }) => family === 'IPv6'))

/** A real server on a free port of 127.0.0.1, closed when the test ends. */
export async function runningServer(differing: Partial<HttpServerOptions> = {}) {
  const log = captureLog()
  const health = new HealthRegistry()
  const server = await startHttpServer({
    bind: { host: '127.0.0.1', port: 0 },
    health,
    metrics: createMetrics(),
    status: () => REPORT,
    seedHealth: () => seedHealth('Ok'),
    logger: log.logger,
    ...differing,
  })
  onTestFinished(() => server.close())
  const { port } = server.address
  const get = async (path: string, init: RequestInit = {}) => {
    const response = await fetch(`http://127.0.0.1:${port}${path}`, init)
    return { status: response.status, headers: response.headers, body: await response.text() }
  }
  return { server, health, log, port, get }
}

/** A bare connection; `answer` is everything that comes until the server hangs up. */
export function rawConnection(port: number, request: string): { socket: Socket; answer: Promise<string> } {
  const socket = connect({ host: '127.0.0.1', port })
  onTestFinished(() => {
    socket.destroy()
  })
  socket.write(request)
  return { socket, answer: text(socket) }
}
