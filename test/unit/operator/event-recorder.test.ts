import { expect, test } from 'vitest'
import type { KubeClient } from '../../../src/kube/kube-client.ts'
import { toConditions } from '../../../src/operator/conditions.ts'
import { EventRecorder } from '../../../src/operator/event-recorder.ts'
import { mirrorFindings } from '../../../src/operator/mirror-findings.ts'
import { ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { ManualClock } from '../../support/manual-clock.ts'

test('EventRecorder warns in the log of what somebody has to mend, with the message of the condition', async () => {
  const lines: unknown[] = []
  const logger = {
    ...silentLogger,
    info: (fields: object) => lines.push(['info', fields]),
    warn: (fields: object) => lines.push(['warn', fields]),
  }
  const client = { create: async () => ({}) } as unknown as KubeClient
  const recorder = new EventRecorder({ client, clock: new ManualClock(), logger })
  const findings = mirrorFindings({ kind: 'refused', reason: 'InvalidSpec', message: 'spec.prefix: must end' })
  const after = toConditions(findings, [], { generation: 1, nowMs: 0 })
  const object = { metadata: { namespace: 'shop', name: 'app' } }
  await recorder.transitions({
    resource: ETCD_MIRRORS,
    object,
    before: [],
    after,
    signal: new AbortController().signal,
  })
  const told = { reason: 'InvalidSpec', message: 'spec.prefix: must end' }
  expect(lines).toMatchObject([
    ['warn', { condition: 'Ready', status: 'False', ...told }],
    ['warn', { condition: 'Stalled', status: 'True', ...told }],
  ])
})
