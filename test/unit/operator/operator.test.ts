import { expect, test } from 'vitest'
import { KubeClient } from '../../../src/kube/kube-client.ts'
import { createMetrics } from '../../../src/observe/metrics-registry.ts'
import { Operator } from '../../../src/operator/operator.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { freePort } from '../../support/free-port.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { eventually } from '../../support/wait.ts'

test('is alive for as long as the API is away: a restart would not bring it back', async () => {
  const clock = new ManualClock()
  const server = `http://127.0.0.1:${await freePort()}`
  const current = async () => ({ authorization: undefined, tls: {} })
  const client = new KubeClient({ credentials: { server, namespace: 'default', current }, userAgent: 'test', clock })
  const operator = new Operator({
    client,
    namespaces: undefined,
    operatorNamespace: 'default',
    allowKinds: [],
    concurrency: 8,
    identity: undefined,
    clock,
    logger: silentLogger,
    metrics: createMetrics(),
  })
  const stop = new AbortController()
  const ended = operator.run(stop.signal)
  clock.advance(600_000)
  await eventually(() => expect(operator.health.results('live')).toMatchObject([{ ok: true }]))
  stop.abort()
  await ended
  await client.close()
})
