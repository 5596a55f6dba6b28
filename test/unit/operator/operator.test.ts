import { setImmediate as turn } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { KubeClient } from '../../../src/kube/kube-client.ts'
import { createMetrics } from '../../../src/observe/metrics-registry.ts'
import { Operator } from '../../../src/operator/operator.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { startSilentServer } from '../../support/scripted-silent-server.ts'

test.each([
  ['with leader election', 'me', /^leases.etcd-mirror-operator could not be read or written: /],
  ['without', undefined, /^\w+ are not listed yet$/],
])(
  'Operator %s: an API server that never answers leaves it alive, and neither started nor ready',
  async (...[, identity, message]) => {
    await using server = await startSilentServer()
    const clock = new ManualClock()
    const credential = { authorization: undefined, tls: {} }
    const credentials = { server: `http://${server.endpoint}`, namespace: 'ns', current: async () => credential }
    const client = new KubeClient({ credentials, userAgent: 'test', clock })
    const operator = new Operator({
      client,
      namespaces: undefined,
      operatorNamespace: 'ns',
      allowKinds: [],
      concurrency: 1,
      identity,
      clock,
      logger: silentLogger,
      metrics: createMetrics(),
    })
    const stop = new AbortController()
    const ended = operator.run(stop.signal)
    const failing = (kind: 'live' | 'ready' | 'startup') => operator.health.results(kind).filter(({ ok }) => !ok)
    for (let second = 0; second < 300; second++) {
      clock.advance(1000)
      await turn()
      expect(failing('live')).toEqual([])
    }
    for (const kind of ['ready', 'startup'] as const) expect(failing(kind)[0]?.message).toMatch(message)
    stop.abort()
    await ended
    await client.close()
  },
)
