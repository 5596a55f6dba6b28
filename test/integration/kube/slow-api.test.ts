import { once } from 'node:events'
import { readFile } from 'node:fs/promises'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { ETCD_KEYS } from '../../../src/targets/objects/etcd-key-projection.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { startKubeApi } from '../../support/kube-api.ts'
import { KubeRig } from '../../support/kube-rig.ts'
import { makeTls } from '../../support/tls.ts'
import { eventually } from '../../support/wait.ts'

const CRDS = join(import.meta.dirname, '../../../crds')

test('an API server that answers 429 is asked again when it says so', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  // One change at a time; who comes meanwhile is sent away.
  await using api = await startKubeApi({
    users: ['mirror'],
    flags: ['--enable-priority-and-fairness=false', '--max-mutating-requests-inflight=1'],
  })
  await api.kubectl(['apply', '-f', join(CRDS, 'etcdmirror.dev_etcdkeys.yaml')])
  await api.kubectl(['wait', '--for=condition=Established', 'crd/etcdkeys.etcdmirror.dev', '--timeout=60s'])
  await using rig = await KubeRig.make({ api, etcd, target: { etcdKeys: {} } })
  await rig.writer.txn(Object.fromEntries(Array.from({ length: 200 }, (_, index) => [`k/${index}`, true])))
  const run = await rig.run()
  await rig.settledEtcdKeys()
  await run.settled()
  expect(await run.metric('etcd_mirror_kube_requests_total', { result: 'KubeThrottled' })).toBeGreaterThan(0)
  expect((await rig.list(ETCD_KEYS)).length).toBe(200)
})

/** Admits everything, after a while. */
async function startSlowWebhook(delayMs: number, tls: Awaited<ReturnType<typeof makeTls>>): Promise<Server> {
  const options = { cert: await readFile(tls.server.cert), key: await readFile(tls.server.key) }
  const server = createServer(options, async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk)
    const { apiVersion, kind, request: asked } = JSON.parse(Buffer.concat(chunks).toString('utf8'))
    await sleep(delayMs)
    response.setHeader('content-type', 'application/json')
    response.end(JSON.stringify({ apiVersion, kind, response: { uid: asked.uid, allowed: true } }))
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  return server
}

test('a slow admission webhook makes fewer, larger steps, each a whole revision', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using api = await startKubeApi({ users: ['mirror'] })
  await using tls = await makeTls()
  const server = await startSlowWebhook(1000, tls)
  try {
    await using rig = await KubeRig.make({ api, etcd, target: { configMap: { name: 'app' } } })
    const { port } = server.address() as AddressInfo
    const webhook = {
      name: 'slow.example.com',
      clientConfig: {
        url: `https://127.0.0.1:${port}/`,
        caBundle: (await readFile(tls.ca)).toString('base64'),
      },
      rules: [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE', 'UPDATE'], resources: ['configmaps'] }],
      admissionReviewVersions: ['v1'],
      sideEffects: 'None',
      failurePolicy: 'Fail',
      timeoutSeconds: 30,
    }
    const apiVersion = 'admissionregistration.k8s.io/v1'
    const configuration = { apiVersion, kind: 'ValidatingWebhookConfiguration', metadata: { name: 'slow' } }
    await api.kubectl(['apply', '-f', '-'], { input: JSON.stringify({ ...configuration, webhooks: [webhook] }) })
    await rig.writer.txn({ a: '0', b: '0' })
    const run = await rig.run()
    await rig.settled('ConfigMap')
    for (let index = 0; index < 40; index++) await rig.writer.txn({ a: String(index), b: String(index) })
    await rig.settled('ConfigMap')
    await run.settled()
    await eventually(async () =>
      expect(await run.metric('etcd_mirror_objects_total', { result: 'written' })).toBeLessThan(20),
    )
  } finally {
    server.closeAllConnections()
    server.close()
  }
})
