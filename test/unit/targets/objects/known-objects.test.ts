import { describe, expect, test } from 'vitest'
import type { KubeObject } from '../../../../src/kube/kube-object.ts'
import { ETCD_KEYS, EtcdKeyProjection } from '../../../../src/targets/objects/etcd-key-projection.ts'
import { KnownObjects } from '../../../../src/targets/objects/known-objects.ts'

const marks = { mirror: 'app', owner: undefined, deletionPolicy: 'Retain' } as const

/** What a mirror knows that has written the object `app.a`, whose version is then 120. */
function knowing(): KnownObjects {
  const known = new KnownObjects({ projection: new EtcdKeyProjection('app', 1), marks, seals: new Set() })
  known.writing(ETCD_KEYS, 'app.a')
  known.wrote(ETCD_KEYS, 'app.a', written())
  return known
}

function written(): KubeObject {
  const metadata = {
    name: 'app.a',
    uid: 'u',
    resourceVersion: '120',
    annotations: { 'etcdmirror.dev/content-hash': 'h' },
  }
  return { metadata, spec: { key: '/a', value: 'v' } }
}

describe('KnownObjects.sawAll', () => {
  test('what was written after the list was made is not gone, although the list does not have it', () => {
    const known = knowing()
    expect(known.sawAll(ETCD_KEYS, [], '119')).toBe(false)
    expect([known.count, known.isDrifted]).toEqual([1, false])
  })

  test.each(['120', '1000'])('what a list of version %s does not have is gone', (version) => {
    const known = knowing()
    expect(known.sawAll(ETCD_KEYS, [], version)).toBe(true)
    expect([known.count, known.isDrifted]).toEqual([0, true])
  })
})
