import { existsSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { inClusterCredentials, isInCluster } from './in-cluster.ts'
import type { KubeCredentials } from './kube-credentials.ts'
import { KubeError } from './kube-error.ts'

/**
 * Finds the API server: KUBECONFIG, else the service account of the pod, else `~/.kube/config`. Rejects with `KubeError`
 * when there is none. `now`: milliseconds that never go back.
 */
export async function loadCredentials(
  env: Readonly<Record<string, string | undefined>>,
  now: () => number,
): Promise<KubeCredentials> {
  if (env.KUBECONFIG) return await fromKubeconfig(env.KUBECONFIG, now)
  if (isInCluster(env)) return await inClusterCredentials(env)
  const path = join(env.HOME || homedir(), '.kube/config')
  if (existsSync(path)) return await fromKubeconfig(path, now)
  throw new KubeError('KubeDenied', `Cannot find the Kubernetes API: no KUBECONFIG, no service account, no ${path}`, {
    hint: 'Run in a pod with a service account, or name a kubeconfig in KUBECONFIG.',
  })
}

/** Loaded only where it is needed: the client library is large. */
async function fromKubeconfig(paths: string, now: () => number): Promise<KubeCredentials> {
  const { kubeconfigCredentials } = await import('./kubeconfig.ts')
  return await kubeconfigCredentials(paths, now)
}
