import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import type { KubeResource } from '../../src/kube/kube-resource.ts'
import type { KubeApi } from './kube-api.ts'

export interface SlowWebhookOptions {
  /** Whose objects it looks at. */
  readonly namespace: string
  readonly resources: readonly KubeResource[]
  readonly delayMs: number
}

/** An admission webhook that admits everything, after a while, until it is disposed of. */
export async function startSlowWebhook(api: KubeApi, options: SlowWebhookOptions): Promise<AsyncDisposable> {
  const { cert, key } = await api.identity()
  const server = createServer({ cert, key }, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { apiVersion, kind, request: asked } = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    await sleep(options.delayMs)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ apiVersion, kind, response: { uid: asked.uid, allowed: true } }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  await api.apply([configurationOf((server.address() as AddressInfo).port, cert, options)])
  return {
    async [Symbol.asyncDispose]() {
      await api.kubectl(['delete', 'validatingwebhookconfiguration', 'slow'])
      server.closeAllConnections()
      server.close()
    },
  }
}

function configurationOf(port: number, cert: string, { namespace, resources }: SlowWebhookOptions): object {
  const rules = resources.map(({ group, version, plural }) => ({
    apiGroups: [group],
    apiVersions: [version],
    operations: ['CREATE', 'UPDATE'],
    resources: [plural],
  }))
  const webhook = {
    name: 'slow.example.com',
    clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle: Buffer.from(cert).toString('base64') },
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    rules,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Fail',
    timeoutSeconds: 30,
  }
  const apiVersion = 'admissionregistration.k8s.io/v1'
  return { apiVersion, kind: 'ValidatingWebhookConfiguration', metadata: { name: 'slow' }, webhooks: [webhook] }
}
