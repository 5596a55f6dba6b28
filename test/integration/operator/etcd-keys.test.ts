import { expect, test } from 'vitest'
import type { KubeObject } from '../../../src/kube/kube-object.ts'
import { ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { ETCD_KEYS } from '../../../src/targets/objects/etcd-key-projection.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { startKubeApi } from '../../support/kube-api.ts'
import { conditionsOf, OPERATOR_USER, OperatorRig } from '../../support/operator-rig.ts'

const apiVersion = 'etcdmirror.dev/v1alpha1'

test('an EtcdMirror with etcdKeys: follows, belongs to it, and is put right', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using api = await startKubeApi({ users: [OPERATOR_USER] })
  await using rig = await OperatorRig.make(api)
  const namespace = await rig.namespace()
  await etcd.etcdctl(['put', '/a/key', 'value'])
  await rig.apply([
    { apiVersion, kind: 'EtcdConnection', metadata: { name: 'main', namespace }, spec: { endpoints: [etcd.endpoint] } },
    {
      apiVersion,
      kind: 'EtcdMirror',
      metadata: { name: 'app', namespace },
      spec: { connectionRef: { name: 'main' }, prefix: '/a/', target: { etcdKeys: {} } },
    },
  ])
  await rig.operator(['--leader-election', 'false', '--namespaces', namespace])
  await rig.until(ETCD_MIRRORS, namespace, 'app', (object) => expect(conditionsOf(object).Ready).toBe('True/Published'))
  const mirror = await rig.get(ETCD_MIRRORS, namespace, 'app')
  const key = await rig.get(ETCD_KEYS, namespace, 'app.key')
  expect(key?.spec).toMatchObject({ key: '/a/key', value: 'value' })
  expect(key?.metadata.ownerReferences).toMatchObject([{ kind: 'EtcdMirror', uid: mirror?.metadata.uid }])
  await etcd.etcdctl(['put', '/a/key', 'next'])
  const isNext = (object: KubeObject | undefined) => expect(object?.spec).toMatchObject({ value: 'next' })
  await rig.until(ETCD_KEYS, namespace, 'app.key', isNext)
  await api.kubectl(['-n', namespace, 'delete', 'etcdkey', 'app.key'])
  await rig.until(ETCD_KEYS, namespace, 'app.key', isNext)
  await etcd.etcdctl(['put', '/a/other', 'x'])
  await etcd.etcdctl(['del', '/a/key'])
  await rig.until(ETCD_KEYS, namespace, 'app.key', (object) => expect(object).toBeUndefined())
})
