import { createHash } from 'node:crypto'
import type { RequestOptions } from 'node:https'
import type { KubeCredentials, KubeTls } from './kube-credentials.ts'
import { KubeError } from './kube-error.ts'

/** Credential plugins are programs: not one for every request. */
const FRESH_MS = 10_000

/**
 * Credentials of a kubeconfig, with every kind of user that kubectl knows. `paths` as in KUBECONFIG. Certificates and
 * tokens are read again after some seconds. Rejects with `KubeError`, not retryable.
 */
export async function kubeconfigCredentials(paths: string, now: () => number): Promise<KubeCredentials> {
  const { KubeConfig } = await import('@kubernetes/client-node')
  const config = new KubeConfig()
  let cluster: ReturnType<typeof config.getCurrentCluster>
  try {
    const [first = '', ...others] = paths.split(':').filter((path) => path !== '')
    config.loadFromFile(first)
    for (const path of others) {
      const more = new KubeConfig()
      more.loadFromFile(path)
      config.mergeConfig(more)
    }
    cluster = config.getCurrentCluster()
  } catch (error) {
    throw unusable(paths, 'it cannot be read as a kubeconfig', error)
  }
  if (!cluster?.server) throw unusable(paths, `its context ${config.getCurrentContext() || '(none)'} names no cluster`)
  let known: { authorization: string | undefined; tls: KubeTls; digest: string; atMs: number } | undefined
  return {
    server: cluster.server.replace(/\/+$/, ''),
    namespace: config.getContextObject(config.getCurrentContext())?.namespace || 'default',
    async current() {
      if (known !== undefined && now() - known.atMs < FRESH_MS) return known
      const { tls, authorization } = await optionsOf(config, paths)
      const digest = digestOf(tls)
      known = { authorization, tls: known?.digest === digest ? known.tls : tls, digest, atMs: now() }
      return known
    },
  }
}

async function optionsOf(
  config: { applyToHTTPSOptions(options: RequestOptions): Promise<void> },
  paths: string,
): Promise<{ authorization: string | undefined; tls: KubeTls }> {
  const options: RequestOptions = {}
  try {
    await config.applyToHTTPSOptions(options)
  } catch (error) {
    throw unusable(paths, 'its user has no usable credentials', error)
  }
  const { ca, cert, key, servername, rejectUnauthorized, auth } = options
  const headers = new Map(Object.entries(options.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]))
  const basic = auth ? `Basic ${Buffer.from(auth).toString('base64')}` : undefined
  const given = headers.get('authorization')
  const tls = Object.entries({ ca, cert, key, servername, rejectUnauthorized }).filter(
    ([, value]) => value !== undefined,
  )
  return { authorization: given === undefined ? basic : String(given), tls: Object.fromEntries(tls) as KubeTls }
}

function digestOf(tls: KubeTls): string {
  return createHash('sha256').update(JSON.stringify(tls)).digest('hex')
}

function unusable(paths: string, state: string, cause?: unknown): KubeError {
  return new KubeError('KubeDenied', `Cannot use the kubeconfig ${paths}: ${state}`, {
    cause,
    hint: 'Try it with kubectl, or name another one in KUBECONFIG.',
  })
}
