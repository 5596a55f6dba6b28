import { once } from 'node:events'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import type { KubeResource } from '../../src/kube/kube-resource.ts'
import type { KubeApi } from './kube-api.ts'

export interface HoldingWebhookOptions {
  /** Whose objects it looks at. */
  readonly namespace: string
  readonly resources: readonly KubeResource[]
}

/** An admission webhook that is asked about every write and takes its time: until `release`, then it admits all. */
export interface HoldingWebhook extends AsyncDisposable {
  /** Resolves when it is asked for the first time. */
  readonly asked: Promise<void>
  /** Questions that wait for its answer. */
  readonly held: number
  /** Questions that nobody wanted an answer to any more. */
  readonly givenUp: number
  release(): void
}

/** Starts it; it is asked until it is disposed of. */
export async function startHoldingWebhook(api: KubeApi, options: HoldingWebhookOptions): Promise<HoldingWebhook> {
  const { cert, key } = await api.identity()
  const asked = Promise.withResolvers<void>()
  const released = Promise.withResolvers<void>()
  const counts = { held: 0, givenUp: 0 }
  const server = createServer({ cert, key }, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { apiVersion, kind, request: review } = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    asked.resolve()
    counts.held += 1
    response.on('close', () => {
      counts.held -= 1
      if (!response.writableEnded) counts.givenUp += 1
    })
    await released.promise
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ apiVersion, kind, response: { uid: review.uid, allowed: true } }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  await api.apply([configurationOf((server.address() as AddressInfo).port, cert, options)])
  return {
    asked: asked.promise,
    get held() {
      return counts.held
    },
    get givenUp() {
      return counts.givenUp
    },
    release: () => released.resolve(),
    async [Symbol.asyncDispose]() {
      released.resolve()
      await api.kubectl(['delete', 'validatingwebhookconfiguration', NAME])
      server.closeAllConnections()
      server.close()
    },
  }
}

const NAME = 'holding'

function configurationOf(port: number, cert: string, { namespace, resources }: HoldingWebhookOptions): object {
  const rules = resources.map(({ group, version, plural }) => ({
    apiGroups: [group],
    apiVersions: [version],
    operations: ['CREATE', 'UPDATE'],
    resources: [plural],
  }))
  const webhook = {
    name: `${NAME}.example.com`,
    clientConfig: { url: `https://127.0.0.1:${port}/`, caBundle: Buffer.from(cert).toString('base64') },
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': namespace } },
    rules,
    admissionReviewVersions: ['v1'],
    sideEffects: 'None',
    failurePolicy: 'Fail',
    timeoutSeconds: 30,
  }
  const apiVersion = 'admissionregistration.k8s.io/v1'
  return { apiVersion, kind: 'ValidatingWebhookConfiguration', metadata: { name: NAME }, webhooks: [webhook] }
}
