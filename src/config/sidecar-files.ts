import { dump } from 'js-yaml'

/** Where a sidecar finds what is mounted for it. */
export const SIDECAR_PATHS = { root: '/mirror', tls: '/etc/etcd-mirror/tls', auth: '/etc/etcd-mirror/auth' } as const

type Fields = Readonly<Record<string, unknown>>

/** What is known of a connection beside what its spec says: of its Secrets only which files they make. */
export interface SidecarConnection {
  readonly hasTls: boolean
  readonly hasCa: boolean
  readonly hasCertificate: boolean
  readonly username: string | undefined
}

/**
 * mirror.yaml of a sidecar for one EtcdMirror, by its spec as it was written: what nobody set is left to the sidecar's own
 * version. Its files are below `/mirror/<name>`.
 */
export function sidecarMirrorYaml(name: string, spec: Fields): string {
  const { connectionRef: _, target, ...fields } = spec
  const { files } = target as { readonly files: Fields }
  return yamlOf({
    mirrors: [{ name, ...fields, target: { files: { root: `${SIDECAR_PATHS.root}/${name}`, ...files } } }],
  })
}

/** etcd.conf of a sidecar for one EtcdConnection, by its spec as it was written; credentials are files beside it. */
export function sidecarEtcdConf(spec: Fields, connection: SidecarConnection): string {
  const { hasTls, hasCa, hasCertificate, username } = connection
  const { insecureSkipVerify, serverName } = (spec.tls ?? {}) as Fields
  const endpoints = spec.endpoints as readonly string[]
  return yamlOf({
    endpoints: hasTls ? endpoints.map(withHttps) : endpoints,
    'dial-timeout': spec.dialTimeout,
    'operation-timeout': spec.operationTimeout,
    'keepalive-time': spec.keepaliveTime,
    'keepalive-timeout': spec.keepaliveTimeout,
    'insecure-transport': spec.insecureTransport,
    'insecure-skip-tls-verify': insecureSkipVerify,
    'server-name': serverName,
    'ca-file': hasCa ? `${SIDECAR_PATHS.tls}/ca.crt` : undefined,
    'cert-file': hasCertificate ? `${SIDECAR_PATHS.tls}/tls.crt` : undefined,
    'key-file': hasCertificate ? `${SIDECAR_PATHS.tls}/tls.key` : undefined,
    username,
    'password-file': username === undefined ? undefined : `${SIDECAR_PATHS.auth}/password`,
    'resync-after-reconnect': spec.resyncAfterReconnect,
  })
}

function withHttps(endpoint: string): string {
  return endpoint.includes('://') ? endpoint : `https://${endpoint}`
}

/** Keys without a value are left out. */
function yamlOf(document: Fields): string {
  return dump(JSON.parse(JSON.stringify(document)), { lineWidth: -1, noRefs: true })
}
