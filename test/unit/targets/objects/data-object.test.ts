import { expect, test } from 'vitest'
import type { OwnerReference } from '../../../../src/kube/kube-object.ts'
import { DataObject } from '../../../../src/targets/objects/data-object.ts'
import { configMapTargetSchema } from '../../../../src/targets/objects/options.ts'

const owner: OwnerReference = { apiVersion: 'v1', kind: 'EtcdMirror', name: 'app', uid: 'ours' }
const theirs: OwnerReference = { ...owner, uid: 'theirs' }

/** What is found to differ of an equal object that has these owners. */
function differences(
  owned: { owner?: OwnerReference; deletionPolicy?: string; creationPolicy?: string },
  owners: readonly OwnerReference[],
) {
  const { owner, ...options } = owned
  const target = { kind: 'ConfigMap', options: configMapTargetSchema.parse({ name: 'app', ...options }) } as const
  const object = new DataObject({ target, mirror: 'app', prefix: Buffer.from('/a/'), owner })
  const data = new Map([['key', Buffer.from('value')]])
  const position = { clusterId: 1n, revision: 7, raftTerm: 1, keyCount: 1, anchor: undefined, epoch: 0 }
  const published = { revision: 7, epoch: 0 }
  const written = object.manifest(data, { position, published, configHash: '', rest: undefined })
  const live = { ...written, metadata: { ...written.metadata, ownerReferences: owners } }
  return object.differences(live, data).map(({ path, kind }) => `${path} ${kind}`)
}

test.each([
  ['the owner', { owner }, [owner], []],
  ['the owner beside another one', { owner }, [theirs, owner], []],
  ['no owner any more', { owner }, [], ['metadata mode']],
  ['only an owner that is not ours', { owner }, [theirs], ['metadata mode']],
  ['no owner, and is to stay', { owner, deletionPolicy: 'Retain' }, [], []],
  ['an owner that is not ours, and is to stay', { owner, deletionPolicy: 'Retain' }, [theirs], []],
  ['no owner, as others share it', { owner, creationPolicy: 'Merge' }, [], []],
  ['no owner, as its mirror is no resource', {}, [theirs], []],
])('DataObject compares an object that has %s', (_, owned, owners, expected) => {
  expect(differences(owned, owners)).toEqual(expected)
})
