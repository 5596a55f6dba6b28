import { isUtf8 } from 'node:buffer'
import {
  type ClusterEtcdConnectionSpec,
  clusterEtcdConnectionSpecSchema,
  type EtcdConnectionSpec,
  etcdConnectionSpecSchema,
} from '../config/connection-resource.ts'
import type { GivenCredentials } from '../etcd/given-credentials.ts'
import { type EtcdOptions, etcdConfSchema, resolveEtcdOptions } from '../etcd/options.ts'
import { withoutLineEnd } from '../util/without-line-end.ts'
import type { AllowRule } from './allow.ts'
import type { ConnectionKind } from './connection-kind.ts'
import { specFaults } from './spec-faults.ts'

/** The bytes of a Secret by name. */
export type SecretData = ReadonlyMap<string, Buffer>

/** Why a connection cannot be made, until somebody changes it or its Secrets. */
export interface ConnectionFault {
  readonly reason: 'InvalidSpec' | 'SecretNotFound' | 'SecretForbidden' | 'SecretUnreadable' | 'SecretInvalid'
  readonly message: string
}

export interface ConnectionOptions {
  readonly etcd: EtcdOptions
  readonly given: GivenCredentials
}

export type ConnectionSpec = EtcdConnectionSpec | ClusterEtcdConnectionSpec

/** The spec with its defaults; a fault names the fields. */
export function parseConnection(
  kind: ConnectionKind,
  spec: unknown,
): { readonly spec: ConnectionSpec } | { readonly fault: ConnectionFault } {
  const schema = kind === 'EtcdConnection' ? etcdConnectionSpecSchema : clusterEtcdConnectionSpecSchema
  const result = schema.safeParse(spec)
  if (result.success) return { spec: result.data }
  return { fault: { reason: 'InvalidSpec', message: specFaults(result.error) } }
}

/**
 * Who may use a connection, whatever else stands in its spec; undefined = mirrors of the same namespace. What cannot be
 * read grants nothing.
 */
export function grantsOf(kind: ConnectionKind, spec: unknown): readonly AllowRule[] | undefined {
  if (kind === 'EtcdConnection') return undefined
  const { allow } = (spec ?? {}) as { readonly allow?: unknown }
  const result = clusterEtcdConnectionSpecSchema.shape.allow.safeParse(allow)
  return result.success ? result.data : []
}

/** What an etcd client is made with. `tls` and `auth`: data of the Secrets that the spec refers to. */
export function connectionOptions(
  spec: ConnectionSpec,
  secrets: { readonly tls: SecretData | undefined; readonly auth: SecretData | undefined },
): ConnectionOptions | { readonly fault: ConnectionFault } {
  const login = loginOf(spec, secrets.auth)
  if ('fault' in login) return login
  const given = { ...certificatesOf(secrets.tls), password: login.password }
  const secretFault = certificateFault(spec, given)
  if (secretFault !== undefined) return { fault: { reason: 'SecretInvalid', message: secretFault } }
  const { options, problems } = resolveEtcdOptions(etcdConfSchema.parse(confOf(spec, given, login.username)))
  if (options === undefined) {
    const issues = problems.map(({ path: [key = '', ...inside], message }) => ({
      path: [...(FIELDS[key] ?? [key]), ...inside],
      message,
    }))
    return { fault: { reason: 'InvalidSpec', message: specFaults({ issues }) } }
  }
  return { etcd: options, given }
}

/** Where the spec has what a key of etcd.conf says; those that are not here have the same name. */
const FIELDS: Readonly<Record<string, readonly string[]>> = {
  'ca-file': ['tls', 'secretRef'],
  'cert-file': ['tls', 'secretRef'],
  'key-file': ['tls', 'secretRef'],
  username: ['auth'],
  'password-file': ['auth'],
  'insecure-transport': ['insecureTransport'],
}

/** As etcd.conf would have it: one set of rules for both. The names of files only say that there are such. */
function confOf(spec: ConnectionSpec, given: GivenCredentials, username: string | undefined) {
  const ns = (ms: number) => ms * 1e6
  return {
    endpoints: spec.tls === undefined ? spec.endpoints : spec.endpoints.map(withHttps),
    'dial-timeout': ns(spec.dialTimeout),
    'operation-timeout': ns(spec.operationTimeout),
    'keepalive-time': ns(spec.keepaliveTime),
    'keepalive-timeout': ns(spec.keepaliveTimeout),
    'insecure-transport': spec.insecureTransport,
    'insecure-skip-tls-verify': spec.tls?.insecureSkipVerify,
    'server-name': spec.tls?.serverName,
    'ca-file': given.ca && 'ca.crt',
    'cert-file': given.cert && 'tls.crt',
    'key-file': given.key && 'tls.key',
    username,
    'password-file': username === undefined ? undefined : 'password',
    'resync-after-reconnect': spec.resyncAfterReconnect,
  }
}

function withHttps(endpoint: string): string {
  return endpoint.includes('://') ? endpoint : `https://${endpoint}`
}

function certificatesOf(tls: SecretData | undefined): Omit<GivenCredentials, 'password'> {
  const nonEmpty = (name: string) => (tls?.get(name)?.length ? tls.get(name) : undefined)
  return { ca: nonEmpty('ca.crt'), cert: nonEmpty('tls.crt'), key: nonEmpty('tls.key') }
}

function certificateFault({ tls }: ConnectionSpec, { ca, cert, key }: GivenCredentials): string | undefined {
  const name = tls?.secretRef?.name
  if (name === undefined) return undefined
  if ((cert === undefined) !== (key === undefined)) return `Secret "${name}" must hold tls.crt and tls.key, or neither`
  return ca === undefined && cert === undefined ? `Secret "${name}" holds neither ca.crt nor tls.crt` : undefined
}

function loginOf(
  { auth }: ConnectionSpec,
  data: SecretData | undefined,
):
  | { readonly username: string | undefined; readonly password: string | undefined }
  | { readonly fault: ConnectionFault } {
  if (auth === undefined) return { username: undefined, password: undefined }
  const [username, password] = ['username', 'password'].map((name) => textOf(data?.get(name)))
  if (username && password) return { username, password }
  const message = `Secret "${auth.secretRef.name}" must hold username and password`
  return { fault: { reason: 'SecretInvalid', message } }
}

/** undefined = it is no text. */
function textOf(bytes: Buffer | undefined): string | undefined {
  return bytes !== undefined && isUtf8(bytes) ? withoutLineEnd(bytes.toString('utf8')) : undefined
}
