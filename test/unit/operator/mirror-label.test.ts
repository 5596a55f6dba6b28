import { expect, test } from 'vitest'
import { labelLogger, labelMetrics } from '../../../src/operator/mirror-label.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { noMetrics } from '../../../src/util/metrics.ts'

test('what a sink reports under its own name is reported under that of the operator', () => {
  const reported: unknown[] = []
  const metrics = labelMetrics({ ...noMetrics, add: (...args) => reported.push(args) }, 'shop/app')
  metrics.add('etcd_mirror_objects_total', { mirror: 'app', result: 'written' })
  metrics.add('etcd_mirror_kube_requests_total', { method: 'GET', result: 'ok' }, 2)
  expect(reported).toEqual([
    ['etcd_mirror_objects_total', { mirror: 'shop/app', result: 'written' }, undefined],
    ['etcd_mirror_kube_requests_total', { method: 'GET', result: 'ok' }, 2],
  ])
  const lines: unknown[] = []
  const logger = labelLogger({ ...silentLogger, warn: (...args) => lines.push(args) }, 'shop/app')
  logger.warn({ mirror: 'app', count: 1 }, 'careful')
  expect(lines).toEqual([[{ mirror: 'shop/app', count: 1 }, 'careful']])
})
