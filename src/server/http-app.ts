import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express'

import type { AgentStatus } from '../library/agent-status.ts'
import { type ProbeName, probeDocument } from '../library/probe-document.ts'
import { escapeControl } from '../observe/escape-control.ts'
import type { HealthKind, HealthRegistry } from '../observe/health-registry.ts'
import type { Logger } from '../util/logger.ts'
import { probeReport } from './probe-report.ts'
import { statusDocument } from './status-document.ts'
import { STATUS_PAGE_POLICY, statusPage } from './status-page.ts'
import type { StatusReport } from './status-report.ts'

/** What the endpoints show. Everything is read anew at each request; the functions must be cheap. */
export interface HttpSources {
  readonly health: HealthRegistry
  readonly metrics: { readonly contentType: string; render(): Promise<string> }
  readonly status: () => StatusReport
  readonly seedHealth: () => AgentStatus
}

export interface HttpAppOptions extends HttpSources {
  /** Whether `/status` may name keys. */
  readonly showKeyNames: boolean
  readonly logger: Logger
}

const PROBES: Readonly<Record<string, HealthKind>> = {
  livez: 'live',
  healthz: 'live',
  readyz: 'ready',
  startupz: 'startup',
}

const SEED_PROBES: readonly ProbeName[] = ['liveness', 'readiness']

const INDEX = `etcd-mirror
/livez      the process works (also /healthz); ?verbose lists the checks
/readyz     every mirror has published a copy; an operator: it can do its work
/startupz   the first publish of every mirror is done; an operator: it could once
/metrics    Prometheus metrics
/status     mirrors, revisions, staleness and errors: JSON, or a page in a browser
/liveness   /readiness   probes of cn-infra: negative while etcd cannot be reached
`

/** The endpoints, without the socket. GET and HEAD only; every answer is uncacheable. */
export function createHttpApp(options: HttpAppOptions): Express {
  const app = express()
  app.disable('x-powered-by')
  app.disable('etag')
  app.enable('case sensitive routing')
  app.set('query parser', 'simple')
  app.use(hardened, readOnly, shortUrl)
  for (const [name, kind] of Object.entries(PROBES)) app.get(`/${name}`, probe(options.health, name, kind))
  for (const name of SEED_PROBES) app.get(`/${name}`, seedProbe(options.seedHealth, name))
  app.get('/metrics', async (_request, response) => {
    response.set('Content-Type', options.metrics.contentType).send(await options.metrics.render())
  })
  app.get('/status', (request, response) => {
    const document = statusDocument(options.status(), { showKeyNames: options.showKeyNames })
    response.vary('Accept')
    if (isForBrowser(request)) sendPage(response, statusPage(document, Date.now()))
    else sendJson(response, 200, document)
  })
  app.get('/', (_request, response) => sendText(response, 200, INDEX))
  app.use((_request, response) => sendText(response, 404, `Not found. The endpoints are:\n${INDEX}`))
  app.use(failed(options.logger))
  return app
}

/** Browsers ask for HTML by name; curl and scripts take anything, and get JSON. */
function isForBrowser(request: Request): boolean {
  return request.accepts(['json', 'html']) === 'html'
}

const hardened: RequestHandler = (_request, response, next) => {
  response.set({ 'X-Content-Type-Options': 'nosniff', 'Cache-Control': 'no-store' })
  next()
}

const readOnly: RequestHandler = (request, response, next) => {
  if (request.method === 'GET' || request.method === 'HEAD') return next()
  // Closing spares reading a body that nobody wants.
  response.set({ Allow: 'GET, HEAD', Connection: 'close' })
  sendText(response, 405, 'Method not allowed: GET and HEAD only.\n')
}

const MAX_URL_LENGTH = 1024

const shortUrl: RequestHandler = (request, response, next) => {
  if (request.url.length <= MAX_URL_LENGTH) return next()
  sendText(response, 414, `URI too long: at most ${MAX_URL_LENGTH} characters.\n`)
}

function probe(health: HealthRegistry, name: string, kind: HealthKind): RequestHandler {
  return (request, response) => {
    const { ok, body } = probeReport(health, { kind, name, verbose: 'verbose' in request.query })
    sendText(response, ok ? 200 : 503, body)
  }
}

function seedProbe(seedHealth: () => AgentStatus, name: ProbeName): RequestHandler {
  return (_request, response) => {
    const { statusCode, body } = probeDocument(name, seedHealth())
    sendJson(response, statusCode, body)
  }
}

/** An answer must not tell a stranger what broke; the log does. */
function failed(logger: Logger): ErrorRequestHandler {
  return (err, request, response, next) => {
    logger.error({ path: request.path, err }, 'http request failed')
    if (response.headersSent) return next(err)
    sendText(response, 500, 'Internal error: see the log.\n')
  }
}

/** Whoever looks at it in a terminal must not be steered by what stands in a key or an error of a server. */
function sendJson(response: Response, status: number, document: unknown): void {
  response
    .status(status)
    .type('json')
    .send(escapeControl(JSON.stringify(document)))
}

function sendPage(response: Response, page: string): void {
  response.set('Content-Security-Policy', STATUS_PAGE_POLICY).type('html').send(page)
}

function sendText(response: Response, status: number, body: string): void {
  response.status(status).type('text/plain').send(body)
}
