import { expect, test } from 'vitest'
import type { KubeObject, ObjectMeta } from '../../../../src/kube/kube-object.ts'
import { fingerprintOf } from '../../../../src/targets/objects/object-fingerprint.ts'

const owner = { apiVersion: 'v1', kind: 'EtcdMirror', name: 'app', uid: 'u-1' }
const marks = { mirror: 'app', owner, deletionPolicy: 'Delete' } as const
const METADATA: ObjectMeta = {
  name: 'x',
  resourceVersion: '7',
  labels: { team: 'a', 'etcdmirror.dev/mirror': 'app', theirs: '1' },
  annotations: { note: 'n' },
  ownerReferences: [owner],
  managedFields: [
    { manager: 'somebody', operation: 'Update', fieldsV1: { 'f:metadata': { 'f:labels': { 'f:theirs': {} } } } },
    {
      manager: 'etcd-mirror/app',
      operation: 'Apply',
      fieldsV1: { 'f:metadata': { 'f:labels': { 'f:team': {} }, 'f:annotations': { '.': {}, 'f:note': {} } } },
    },
  ],
}
const print = (change: Partial<ObjectMeta> = {}, rest: object = { data: { a: '1' } }) =>
  fingerprintOf({ metadata: { ...METADATA, ...change }, ...rest } as KubeObject, marks)

test.each<[string, Partial<ObjectMeta>, object?]>([
  ['a label of the template', { labels: { ...METADATA.labels, team: 'b' } }],
  ['an annotation of the template', { annotations: { note: 'other' } }],
  ['a mark of the mirror', { labels: { team: 'a', theirs: '1' } }],
  ['the owner', { ownerReferences: [] }],
  ['the content', {}, { data: { a: '2' } }],
])('fingerprintOf tells when somebody changed %s', (_, change, rest) => {
  expect(print(change, rest)).not.toBe(print())
})

test.each<[string, Partial<ObjectMeta>, object?]>([
  ['the version', { resourceVersion: '8', generation: 3 }],
  ['labels of others', { labels: { ...METADATA.labels, theirs: '2', more: 'x' } }],
  ['annotations of others', { annotations: { note: 'n', more: 'x' } }],
  ['the status', {}, { data: { a: '1' }, status: { phase: 'x' } }],
])('fingerprintOf leaves out %s', (_, change, rest) => {
  expect(print(change, rest)).toBe(print())
})
