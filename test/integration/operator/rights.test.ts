import { expect, test } from 'vitest'
import { CONFIG_MAPS, SECRETS } from '../../../src/kube/kube-resource.ts'
import { ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { ETCD_KEYS } from '../../../src/targets/objects/etcd-key-projection.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { startKubeApi } from '../../support/kube-api.ts'
import { KubeControllerManager } from '../../support/kube-controller-manager.ts'
import { conditionsOf, OPERATOR_USER, OperatorRig } from '../../support/operator-rig.ts'
import { eventually } from '../../support/wait.ts'

const apiVersion = 'etcdmirror.dev/v1alpha1'
const TEMPLATE = 'apiVersion: v1\nkind: ConfigMap\nmetadata: { name: {{ name }} }'
const MANY = ['keys', 'keys-retained', 'objects', 'objects-retained']
/** Who sets an owner reference needs rights for the owner then; distributions have it on. */
const OWNERS = '--enable-admission-plugins=OwnerReferencesPermissionEnforcement'

test('without rights for Secrets ConfigMaps work; deleted mirrors take along what they neither retain nor orphan', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using api = await startKubeApi({ users: [OPERATOR_USER], minor: '1.37', flags: [OWNERS] })
  await using _manager = await KubeControllerManager.start(api)
  await using rig = await OperatorRig.make(api)
  await rig.grant({ without: ['secrets'] })
  const namespace = await rig.namespace()
  const mirror = (name: string, target: object) => ({
    apiVersion,
    kind: 'EtcdMirror',
    metadata: { name, namespace },
    spec: { connectionRef: { name: 'main' }, prefix: '/a/', target },
  })
  const untilReady = (name: string, expected: string) =>
    rig.until(ETCD_MIRRORS, namespace, name, (object) => expect(conditionsOf(object).Ready).toBe(expected))
  await etcd.etcdctl(['put', '/a/key', 'value'])
  await rig.apply([
    { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shared', namespace }, data: { theirs: '1' } },
    { apiVersion, kind: 'EtcdConnection', metadata: { name: 'main', namespace }, spec: { endpoints: [etcd.endpoint] } },
    mirror('deleted', { configMap: { name: 'deleted' } }),
    mirror('retained', { configMap: { name: 'retained', deletionPolicy: 'Retain' } }),
    mirror('shared', { configMap: { name: 'shared', creationPolicy: 'Merge' } }),
    mirror('secret', { secret: { name: 'secret' } }),
    mirror('keys', { etcdKeys: {} }),
    mirror('keys-retained', { etcdKeys: { deletionPolicy: 'Retain' } }),
    mirror('objects', { objects: { template: TEMPLATE } }),
    mirror('objects-retained', { objects: { template: TEMPLATE, deletionPolicy: 'Retain' } }),
    mirror('files', { files: {} }),
  ])
  const operator = await rig.operator([
    '--leader-election',
    'false',
    '--namespaces',
    namespace,
    '--allow-kinds',
    'v1/ConfigMap',
  ])
  await untilReady('deleted', 'True/Published')
  await untilReady('retained', 'True/Published')
  await untilReady('shared', 'True/Published')
  for (const name of MANY) await untilReady(name, 'True/Published')
  await untilReady('files', 'True/Rendered')
  await untilReady('secret', 'False/NotWritable')
  await rig.grant()
  await untilReady('secret', 'True/Published')
  expect((await rig.get(SECRETS, namespace, 'secret'))?.data).toEqual({ key: 'dmFsdWU=' })
  await api.kubectl(['-n', namespace, 'delete', 'etcdmirrors', '--all'])
  for (const name of ['deleted', 'objects.key', 'etcd-mirror-files']) {
    await rig.until(CONFIG_MAPS, namespace, name, (object) => expect(object).toBeUndefined())
  }
  await rig.until(ETCD_KEYS, namespace, 'keys.key', (object) => expect(object).toBeUndefined())
  await rig.until(SECRETS, namespace, 'secret', (object) => expect(object).toBeUndefined())
  expect((await rig.get(CONFIG_MAPS, namespace, 'retained'))?.data).toEqual({ key: 'value' })
  expect((await rig.get(CONFIG_MAPS, namespace, 'shared'))?.data).toEqual({ theirs: '1', key: 'value' })
  expect((await rig.get(ETCD_KEYS, namespace, 'keys-retained.key'))?.spec).toMatchObject({ value: 'value' })
  expect(await rig.get(CONFIG_MAPS, namespace, 'objects-retained.key')).toBeDefined()
  const orphans = ['o-1', 'o-2', 'o-3', 'o-4', 'o-5', 'o-6']
  await rig.apply([...orphans.map((name) => mirror(name, { configMap: { name } })), mirror('o-keys', { etcdKeys: {} })])
  for (const name of [...orphans, 'o-keys']) await untilReady(name, 'True/Published')
  await api.kubectl(['-n', namespace, 'delete', 'etcdmirrors', '--all', '--cascade=orphan'])
  for (const name of [...orphans, 'o-keys']) {
    const series = `etcd_mirror_ready{mirror="${namespace}/${name}"}`
    await eventually(async () => expect(await operator.metric(series)).toBeUndefined())
  }
  // Nobody will write them again, and what has no owner is not deleted.
  const copies = await Promise.all([
    rig.get(ETCD_KEYS, namespace, 'o-keys.key'),
    rig.get(CONFIG_MAPS, namespace, 'etcd-mirror-o-keys'),
    ...orphans.map((name) => rig.get(CONFIG_MAPS, namespace, name)),
  ])
  expect(copies.map((copy) => copy && (copy.metadata.ownerReferences ?? []))).toEqual(copies.map(() => []))
})
