import { type EtcdConf, type EtcdOptions, etcdConfSchema, resolveEtcdOptions } from '../etcd/options.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import { checkPositive } from './arguments.ts'

/** How to reach etcd; the same settings as in etcd.conf, with the same defaults and rules. */
export interface ConnectionConfig {
  /** `host:port`, `http://…` or `https://…` (TLS). Default: ETCD_ENDPOINTS, ETCDV3_ENDPOINTS, then 127.0.0.1:2379. */
  readonly endpoints?: readonly string[] | undefined
  /** Default 1,000. */
  readonly dialTimeoutMs?: number | undefined
  /** Limit of every request that brings no limit of its own. Default 3,000. */
  readonly operationTimeoutMs?: number | undefined
  /** true = plain text is meant. */
  readonly insecureTransport?: boolean | undefined
  readonly insecureSkipTlsVerify?: boolean | undefined
  /** Paths of PEM files. */
  readonly certFile?: string | undefined
  readonly keyFile?: string | undefined
  readonly caFile?: string | undefined
  readonly serverName?: string | undefined
  readonly username?: string | undefined
  readonly passwordFile?: string | undefined
  /** Default 10,000; at least 5,000. */
  readonly keepaliveTimeMs?: number | undefined
  /** Default 5,000. */
  readonly keepaliveTimeoutMs?: number | undefined
  /** Time to live of client-lifetime keys and candidacies after the process died. Default 5. */
  readonly sessionTtlSeconds?: number | undefined
}

const DURATIONS = {
  dialTimeoutMs: 'dial-timeout',
  operationTimeoutMs: 'operation-timeout',
  keepaliveTimeMs: 'keepalive-time',
  keepaliveTimeoutMs: 'keepalive-timeout',
} as const

/** Checked, with defaults. Throws `ConfigInvalid` and `InvalidArgument`. Reads no file. */
export function resolveConnectionConfig(config: ConnectionConfig, env: NodeJS.ProcessEnv = process.env): EtcdOptions {
  const { options, problems } = resolveEtcdOptions(confOf(config, env))
  if (options !== undefined) return options
  const texts = problems.map(({ path, message }) => `${path.join('.')} ${message}`)
  throw new EtcdMirrorError('ConfigInvalid', `Cannot connect to etcd: ${texts.join('; ')}`, false)
}

function confOf(config: ConnectionConfig, env: NodeJS.ProcessEnv): EtcdConf {
  const endpoints = config.endpoints?.length ? config.endpoints : endpointsOf(env)
  const durations = Object.entries(DURATIONS).map(([name, key]) => {
    const ms = config[name as keyof typeof DURATIONS]
    checkPositive(ms, name)
    return [key, ms === undefined ? undefined : Math.ceil(ms) * 1e6]
  })
  const parsed = etcdConfSchema.safeParse({
    ...Object.fromEntries(durations),
    endpoints,
    'insecure-transport': config.insecureTransport,
    'insecure-skip-tls-verify': config.insecureSkipTlsVerify,
    'cert-file': config.certFile,
    'key-file': config.keyFile,
    'ca-file': config.caFile,
    'server-name': config.serverName,
    username: config.username,
    'password-file': config.passwordFile,
    'session-ttl': config.sessionTtlSeconds,
  })
  if (parsed.success) return parsed.data
  const texts = parsed.error.issues.map(({ path, message }) => `${path.join('.')} ${message}`)
  throw new EtcdMirrorError('ConfigInvalid', `Cannot connect to etcd: ${texts.join('; ')}`, false)
}

function endpointsOf(env: NodeJS.ProcessEnv): readonly string[] {
  for (const name of ['ETCD_ENDPOINTS', 'ETCDV3_ENDPOINTS']) {
    const parts = (env[name] ?? '').split(',').map((part) => part.trim())
    const endpoints = parts.filter((part) => part !== '')
    if (endpoints.length > 0) return endpoints
  }
  return []
}
