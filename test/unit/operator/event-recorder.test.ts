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

test('EventRecorder: of an object that flaps come a burst of events, then one in five minutes; all are in the log', async () => {
  const told: string[] = []
  let logged = 0
  const logger = { ...silentLogger, info: () => logged++, warn: () => logged++ }
  const create = async ({ name }: { name: string }, { message }: { message: string }) => {
    told.push(`${name.split('.')[0]} ${message}`)
  }
  const clock = new ManualClock()
  const recorder = new EventRecorder({ client: { create } as unknown as KubeClient, clock, logger })
  const of = (name: string, message: string) => {
    const object = { metadata: { namespace: 'shop', name } }
    const findings = mirrorFindings({ kind: 'refused', reason: 'NotAllowed', message })
    const [condition] = toConditions(findings, [], { generation: 1, nowMs: 0 })
    if (condition === undefined) throw new Error('there are conditions')
    const { signal } = new AbortController()
    return recorder.transitions({ resource: ETCD_MIRRORS, object, before: [], after: [condition], signal })
  }
  for (let count = 0; count < 100; count++) await of('flapping', 'x')
  expect([told.length, logged]).toEqual([25, 100])
  await of('calm', 'y')
  expect(told.at(-1)).toBe('calm Ready is False: y')
  clock.advance(300_000)
  for (let count = 0; count < 10; count++) await of('flapping', 'z'.repeat(2000))
  expect(told).toHaveLength(27)
  expect(told.at(-1)).toMatch(/z \(Changes before it without an event: 75; the log has them\.\)$/)
  expect(told.at(-1)).toHaveLength('flapping '.length + 1024)
  clock.advance(300_000 * 25)
  for (let count = 0; count < 100; count++) await of('flapping', 'x')
  expect(told).toHaveLength(27 + 25)
})
