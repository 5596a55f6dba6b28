import * as z from 'zod'
import { DURATION_FORMS, MAX_TIMER_MS, parseDuration } from '../util/duration.ts'
import { joinHostPort, parseHostPort } from '../util/host-port.ts'
import { quoteAttempt } from '../util/quote-attempt.ts'

/** How TLS is spoken, at least version 1.2. Files are read when the client is made: rotated ones need a new client. */
export interface TlsOptions {
  readonly insecureSkipVerify: boolean
  /** Client certificate and its key: both or none. */
  readonly certFile: string | undefined
  readonly keyFile: string | undefined
  /** Authorities to trust; undefined = those of the system. */
  readonly caFile: string | undefined
  /** Name to expect in the server's certificate; undefined = the host of the endpoint. */
  readonly serverName: string | undefined
}

/** What the etcd client needs to know: etcd.conf with its defaults, checked, frozen. */
export interface EtcdOptions {
  /** `host:port`, IPv6 in brackets, no scheme; at least one. */
  readonly endpoints: readonly string[]
  readonly dialTimeoutMs: number
  readonly operationTimeoutMs: number
  /** `insecure-transport: true` was written: no TLS on purpose. */
  readonly insecureTransport: boolean
  /** undefined = plain text. */
  readonly tls: TlsOptions | undefined
  readonly username: string | undefined
  readonly passwordFile: string | undefined
  readonly keepaliveTimeMs: number
  readonly keepaliveTimeoutMs: number
  /** 0 = off. */
  readonly autoCompactMs: number
  readonly resyncAfterReconnect: boolean
  /** undefined = not written: every face has its own default. */
  readonly allowDelayedStart: boolean | undefined
  readonly reconnectIntervalMs: number
  readonly sessionTtlSeconds: number
  readonly expandEnvVariables: boolean
}

/** etcd servers cut a client that pings more often (`--grpc-keepalive-min-time`). */
const MIN_KEEPALIVE_MS = 5000
/** The seed warns below this. */
const SHORT_COMPACTION_MS = 3_600_000
const DEFAULT_ENDPOINT = '127.0.0.1:2379'
const DEFAULT_PORT = 2379

/** The keys of etcd.conf, as the seed names them. Absent, empty and zero mean the default. */
export const etcdConfSchema = z.object({
  endpoints: z.array(z.string()).nullish(),
  'dial-timeout': duration({ fallbackMs: 1000 }),
  'operation-timeout': duration({ fallbackMs: 3000 }),
  'insecure-transport': flag(),
  'insecure-skip-tls-verify': flag(),
  'cert-file': text(),
  'key-file': text(),
  'ca-file': text(),
  'server-name': text(),
  username: text(),
  'password-file': text(),
  'keepalive-time': duration({ fallbackMs: 10_000, minMs: MIN_KEEPALIVE_MS }),
  'keepalive-timeout': duration({ fallbackMs: 5000 }),
  'auto-compact': duration({ fallbackMs: 0, maxMs: Number.POSITIVE_INFINITY }),
  'resync-after-reconnect': flag(),
  'allow-delayed-start': z
    .boolean()
    .nullish()
    .transform((value) => value ?? undefined),
  'reconnect-interval': duration({ fallbackMs: 2000 }),
  'session-ttl': z
    .int('must be a whole number of seconds')
    .nonnegative('must not be negative')
    .nullish()
    .transform((value) => value || 5),
  'expand-env-variables': flag(),
})

export type EtcdConf = z.output<typeof etcdConfSchema>

/** Something to say about one key of etcd.conf. */
export interface EtcdConfNote {
  readonly path: readonly (keyof EtcdConf | number)[]
  readonly message: string
}

export interface ResolvedEtcdOptions {
  /** undefined when there are problems. */
  readonly options: EtcdOptions | undefined
  readonly problems: readonly EtcdConfNote[]
  readonly warnings: readonly EtcdConfNote[]
}

/** Applies the rules that look at more than one key: schemes, TLS, credentials. Reads no file. */
export function resolveEtcdOptions(conf: EtcdConf): ResolvedEtcdOptions {
  const written = conf.endpoints?.length ? conf.endpoints : [DEFAULT_ENDPOINT]
  const endpoints = written.map(parseEndpoint)
  const secure =
    !conf['insecure-transport'] && (usesTlsFiles(conf) || endpoints.some(({ scheme }) => scheme === 'https'))
  const problems = [
    ...endpointProblems(endpoints),
    ...tlsProblems(conf, endpoints),
    ...credentialProblems(conf, secure),
  ]
  const warnings = doubtfulKeys(conf, secure)
  if (problems.length > 0) return { options: undefined, problems, warnings }
  const addresses = [...new Set(endpoints.map(({ address }) => address))]
  return { options: toOptions(conf, addresses, secure), problems, warnings }
}

interface Endpoint {
  readonly scheme: 'http' | 'https' | undefined
  readonly address: string
  /** Why it cannot be used; the text itself is not repeated, it may hold a password. */
  readonly fault: string | undefined
}

function parseEndpoint(written: string): Endpoint {
  const [, protocol, rest = ''] = /^(?:([a-z]+):\/\/)?(.*?)\/?$/is.exec(written.trim()) ?? []
  const scheme = protocol?.toLowerCase()
  const refuse = (fault: string): Endpoint => ({ scheme: undefined, address: '', fault })
  if (/^unixs?$/.test(scheme ?? '') || /^unixs?:/i.test(rest)) return refuse('unix sockets are not supported')
  if (scheme !== undefined && scheme !== 'http' && scheme !== 'https') {
    return refuse('begins with an unknown scheme: use http:// or https:// or none')
  }
  if (rest.includes('@')) return refuse('must not hold credentials: use username and password-file')
  if (rest.includes(',')) return refuse('must be one address: write each endpoint as an item of its own')
  const parsed = parseHostPort(rest)
  if (parsed === undefined || parsed.host === '' || parsed.port === 0) {
    return refuse('must be host:port, such as "etcd-0:2379", "https://etcd.example:2379" or "[::1]:2379"')
  }
  return { scheme, address: joinHostPort(parsed.host, parsed.port ?? DEFAULT_PORT), fault: undefined }
}

function endpointProblems(endpoints: readonly Endpoint[]): EtcdConfNote[] {
  const problems: EtcdConfNote[] = endpoints.flatMap(({ fault }, index) =>
    fault === undefined ? [] : [{ path: ['endpoints', index], message: fault }],
  )
  const schemes = new Set(endpoints.map(({ scheme }) => scheme))
  if (schemes.has('http') && schemes.has('https')) {
    problems.push({ path: ['endpoints'], message: 'must not mix http:// and https://' })
  }
  return problems
}

const TLS_FILES = ['cert-file', 'key-file', 'ca-file'] as const

function usesTlsFiles(conf: EtcdConf): boolean {
  return TLS_FILES.some((key) => conf[key] !== undefined)
}

function tlsProblems(conf: EtcdConf, endpoints: readonly Endpoint[]): EtcdConfNote[] {
  const problems: EtcdConfNote[] = []
  const add = (message: string, ...path: EtcdConfNote['path']) => problems.push({ path, message })
  const indexOf = (wanted: string) => endpoints.findIndex(({ scheme }) => scheme === wanted)
  if (conf['cert-file'] && !conf['key-file']) add('needs its partner key-file', 'cert-file')
  if (conf['key-file'] && !conf['cert-file']) add('needs its partner cert-file', 'key-file')
  if (conf['insecure-transport']) {
    for (const key of TLS_FILES) {
      if (conf[key]) add('contradicts insecure-transport: true, remove one of them', key)
    }
    const index = indexOf('https')
    if (index >= 0) add('https:// contradicts insecure-transport: true', 'endpoints', index)
  } else if (usesTlsFiles(conf)) {
    const index = indexOf('http')
    if (index >= 0) add('http:// contradicts the TLS files: write https:// or remove the files', 'endpoints', index)
  }
  return problems
}

function credentialProblems(conf: EtcdConf, secure: boolean): EtcdConfNote[] {
  const problems: EtcdConfNote[] = []
  const add = (message: string, key: keyof EtcdConf) => problems.push({ path: [key], message })
  if (conf.username && !conf['password-file']) add('needs its partner password-file', 'username')
  if (conf['password-file'] && !conf.username) add('needs its partner username', 'password-file')
  if (conf['password-file'] && !secure && !conf['insecure-transport']) {
    add(
      'would be sent in plain text: use https:// or ca-file, or write insecure-transport: true to allow it',
      'password-file',
    )
  }
  return problems
}

function doubtfulKeys(conf: EtcdConf, secure: boolean): EtcdConfNote[] {
  const warnings: EtcdConfNote[] = []
  const add = (message: string, key: keyof EtcdConf) => warnings.push({ path: [key], message })
  if (!secure && conf['insecure-skip-tls-verify']) add('has no effect: TLS is off', 'insecure-skip-tls-verify')
  if (!secure && conf['server-name']) add('has no effect: TLS is off', 'server-name')
  if (conf['auto-compact'] > 0 && conf['auto-compact'] < SHORT_COMPACTION_MS) {
    add('is below 60 minutes: readers of old revisions and slow watchers may find them gone', 'auto-compact')
  }
  return warnings
}

function toOptions(conf: EtcdConf, endpoints: readonly string[], secure: boolean): EtcdOptions {
  const tls: TlsOptions = {
    insecureSkipVerify: conf['insecure-skip-tls-verify'],
    certFile: conf['cert-file'],
    keyFile: conf['key-file'],
    caFile: conf['ca-file'],
    serverName: conf['server-name'],
  }
  return Object.freeze({
    endpoints: Object.freeze(endpoints),
    dialTimeoutMs: conf['dial-timeout'],
    operationTimeoutMs: conf['operation-timeout'],
    insecureTransport: conf['insecure-transport'],
    tls: secure ? Object.freeze(tls) : undefined,
    username: conf.username,
    passwordFile: conf['password-file'],
    keepaliveTimeMs: conf['keepalive-time'],
    keepaliveTimeoutMs: conf['keepalive-timeout'],
    autoCompactMs: conf['auto-compact'],
    resyncAfterReconnect: conf['resync-after-reconnect'],
    allowDelayedStart: conf['allow-delayed-start'],
    reconnectIntervalMs: conf['reconnect-interval'],
    sessionTtlSeconds: conf['session-ttl'],
    expandEnvVariables: conf['expand-env-variables'],
  })
}

/** Integer nanoseconds, as the seed's first versions wrote them, or a Go duration; whole milliseconds come out. */
function duration({
  fallbackMs,
  minMs = 0,
  maxMs = MAX_TIMER_MS,
}: {
  fallbackMs: number
  minMs?: number
  maxMs?: number
}) {
  const forms = `must be ${DURATION_FORMS}, or whole nanoseconds`
  return z
    .union([z.string(), z.int()], forms)
    .nullish()
    .transform((value, context) => {
      const refuse = (message: string) => {
        context.issues.push({ code: 'custom', message, input: value })
        return z.NEVER
      }
      if (value === undefined || value === null || value === '') return fallbackMs
      const ms = typeof value === 'string' ? parseDuration(value) : value / 1e6
      if (ms === undefined) return refuse(quoteAttempt(value, 'is not a duration: it ') + forms)
      if (ms === 0) return fallbackMs
      if (ms < 0) return refuse('must not be negative')
      if (ms < minMs) return refuse(`must be at least ${minMs / 1000}s: etcd cuts clients that ping more often`)
      if (ms > maxMs) return refuse('must be at most 596h')
      return Math.ceil(ms)
    })
}

function flag() {
  return z
    .boolean()
    .nullish()
    .transform((value) => value ?? false)
}

function text() {
  return z
    .string()
    .nullish()
    .transform((value) => value || undefined)
}
