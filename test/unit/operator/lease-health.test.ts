import { expect, test } from 'vitest'
import { KubeError } from '../../../src/kube/kube-error.ts'
import { LEASES } from '../../../src/kube/kube-resource.ts'
import { leaseHealth } from '../../../src/operator/lease-health.ts'

const ref = { resource: LEASES, namespace: 'ns', name: 'leader' }
const failure = new KubeError('KubeDenied', 'Cannot read it', { hint: 'Grant it.' })
const could = 'leases/leader could not be read or written'

test.each([
  ['never asked', undefined, undefined, `${could}: no answer`],
  ['never answered', undefined, failure, `${could}: Cannot read it. Grant it.`],
  ['answered', 0, undefined, undefined],
  ['a short outage', 15_000, failure, undefined],
  ['a long one', 16_000, failure, `${could} for 16 s: Cannot read it. Grant it.`],
  ['a renewal that was given up', 16_000, new DOMException('late', 'TimeoutError'), `${could} for 16 s: no answer`],
])('leaseHealth: %s', (_name, silentMs, error, message) => {
  const result = leaseHealth({ ref, silentMs, failure: error }, 15_000)
  expect(result.ok ? undefined : result.message).toBe(message)
})
