import { describe, expect, test } from 'vitest'
import { errorOfAnswer } from '../../../src/kube/kube-status.ts'

const answer = (status: number, body: unknown, retryAfter?: string) =>
  errorOfAnswer('write configmaps/app', { status, retryAfter, body: JSON.stringify(body) })

describe('errorOfAnswer', () => {
  test.each([
    [401, {}, 'KubeDenied'],
    [403, { reason: 'Forbidden' }, 'KubeDenied'],
    [404, { reason: 'NotFound' }, 'KubeNotFound'],
    [404, '404 page not found', 'KubeNotFound'],
    [409, { reason: 'Conflict' }, 'KubeConflict'],
    [410, { reason: 'Expired' }, 'KubeGone'],
    [413, {}, 'KubeTooLarge'],
    [422, { reason: 'Invalid' }, 'KubeInvalid'],
    [429, { reason: 'TooManyRequests' }, 'KubeThrottled'],
    [500, { message: 'etcdserver: request is too large' }, 'KubeTooLarge'],
    [500, { message: 'rpc error' }, 'KubeUnavailable'],
    [503, 'no JSON object', 'KubeUnavailable'],
  ])('%d %j is %s', (status, body, code) => {
    expect(answer(status, body).code).toBe(code)
  })

  test('takes from the header or the body when to ask again', () => {
    expect(answer(429, {}, '3').retryAfterMs).toBe(3000)
    expect(answer(429, { details: { retryAfterSeconds: 2 } }).retryAfterMs).toBe(2000)
    expect(answer(429, {}).retryAfterMs).toBeUndefined()
  })

  test('an object that is not there and a kind that is not served are told apart', () => {
    expect(answer(404, { reason: 'NotFound', message: 'configmaps "app" not found' }).hint).toBeUndefined()
    const unserved = answer(404, '404 page not found')
    expect([unserved.message, unserved.hint]).toEqual([
      'Cannot write configmaps/app: the Kubernetes API answered 404: it serves no such kind',
      expect.stringContaining('CRD'),
    ])
  })

  test('a right that is missing, a namespace that is going away and a rule about content are told apart', () => {
    const forbidden = (message: string) => answer(403, { reason: 'Forbidden', message })
    const right = forbidden('configmaps "app" is forbidden: User "mirror" cannot patch resource "configmaps"')
    expect([right.code, right.hint]).toEqual(['KubeDenied', expect.stringContaining('Grant the service account')])
    const going = forbidden('configmaps "app" is forbidden: unable to create new content in namespace a')
    expect([going.code, going.hint]).toEqual(['KubeDenied', undefined])
    // Who reads it may have a service account of either.
    for (const page of ['docs/kubernetes-targets.md', 'docs/operator.md']) expect(right.hint).toContain(page)
    for (const rule of [
      'admission webhook "policy.example" denied the request',
      "ValidatingAdmissionPolicy 'strong' with binding 'all' denied request",
    ]) {
      const refused = forbidden(`configmaps "app" is forbidden: ${rule}: "hunter2" is weak`)
      expect([refused.code, refused.message]).toEqual(['KubeInvalid', expect.stringContaining(rule)])
      expect(refused.message).not.toContain('hunter2')
    }
  })

  test('names the fields that are invalid and the webhook that refused, and no value', () => {
    const cause = { reason: 'FieldValueInvalid', field: 'data[a]', message: 'Invalid value: "hunter2": must be …' }
    const message = 'admission webhook "policy.example" denied the request: "hunter2" is weak'
    const error = answer(422, { reason: 'Invalid', message, details: { causes: [cause] } })
    expect(error.message).toContain('admission webhook "policy.example" denied the request')
    expect(error.message).toContain('data[a] (FieldValueInvalid)')
    expect(error.message).not.toContain('hunter2')
  })
})
