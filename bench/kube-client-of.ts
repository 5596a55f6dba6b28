import { KubeClient } from '../src/kube/kube-client.ts'
import { kubeconfigCredentials } from '../src/kube/kubeconfig.ts'

/** Our own client for the Kubernetes API, as a kubeconfig says. */
export async function kubeClientOf(kubeconfig: string): Promise<KubeClient> {
  const credentials = await kubeconfigCredentials(kubeconfig, () => performance.now())
  return new KubeClient({ credentials, userAgent: 'bench' })
}
