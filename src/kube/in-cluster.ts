import { existsSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { KubeCredentials, KubeTls } from './kube-credentials.ts'
import { KubeError } from './kube-error.ts'

/** Where Kubernetes mounts what a pod needs to reach the API. */
const SERVICE_ACCOUNT = '/var/run/secrets/kubernetes.io/serviceaccount'

type Environment = Readonly<Record<string, string | undefined>>

/** Whether this process runs in a pod that may reach the API. */
export function isInCluster(env: Environment, directory = SERVICE_ACCOUNT): boolean {
  return Boolean(env.KUBERNETES_SERVICE_HOST) && existsSync(join(directory, 'token'))
}

/**
 * Credentials of the pod's service account. Its token and CA are read at every request: the kubelet exchanges them.
 * Own code, because loading the client library for it would cost a sidecar some 80 MB. Rejects with `KubeError`.
 */
export async function inClusterCredentials(env: Environment, directory = SERVICE_ACCOUNT): Promise<KubeCredentials> {
  const host = env.KUBERNETES_SERVICE_HOST ?? ''
  const port = env.KUBERNETES_SERVICE_PORT_HTTPS || env.KUBERNETES_SERVICE_PORT || '443'
  let tls: KubeTls = {}
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    namespace: (await read(join(directory, 'namespace'))).trim() || 'default',
    async current() {
      const ca = await read(join(directory, 'ca.crt'))
      if (tls.ca !== ca) tls = { ca }
      return { authorization: `Bearer ${(await read(join(directory, 'token'))).trim()}`, tls }
    },
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unreadable'
    throw new KubeError('KubeDenied', `Cannot read ${path}: ${code}`, {
      cause: error,
      hint: 'The pod needs automountServiceAccountToken: true.',
    })
  }
}
