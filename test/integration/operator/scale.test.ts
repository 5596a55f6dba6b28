import { expect, test } from 'vitest'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { startKubeApi } from '../../support/kube-api.ts'
import { conditionsOf, OPERATOR_USER, OperatorRig } from '../../support/operator-rig.ts'
import { eventually } from '../../support/wait.ts'
import { Writer } from '../../support/writer.ts'

const MIRRORS = 100
const KEYS = 20

test('many mirrors in one operator are all ready, and each follows its own prefix', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using api = await startKubeApi({ users: [OPERATOR_USER] })
  await using rig = await OperatorRig.make(api)
  const namespace = await rig.namespace()
  const apiVersion = 'etcdmirror.dev/v1alpha1'
  using writer = await Writer.open(etcd.endpoint, '/many/')
  for (let mirror = 0; mirror < MIRRORS; mirror++) {
    await writer.txn(Object.fromEntries(Array.from({ length: KEYS }, (_, key) => [`${mirror}/${key}`, `v${key}`])))
  }
  const names = Array.from({ length: MIRRORS }, (_, index) => `m${index}`)
  await rig.apply([
    { apiVersion, kind: 'EtcdConnection', metadata: { name: 'main', namespace }, spec: { endpoints: [etcd.endpoint] } },
    ...names.map((name, index) => ({
      apiVersion,
      kind: 'EtcdMirror',
      metadata: { name, namespace },
      spec: { connectionRef: { name: 'main' }, prefix: `/many/${index}/`, target: { configMap: { name } } },
    })),
  ])
  await rig.operator(['--leader-election', 'false'])
  await eventually(
    async () => {
      let ready = 0
      for await (const { items } of rig.admin.list(
        { resource: ETCD_MIRRORS, namespace },
        AbortSignal.timeout(60_000),
      )) {
        ready += items.filter((item) => conditionsOf(item).Ready === 'True/Published').length
      }
      expect(ready).toBe(MIRRORS)
    },
    { timeoutMs: 300_000, intervalMs: 500 },
  )
  await writer.txn(Object.fromEntries(names.map((_, index) => [`${index}/0`, 'changed'])))
  await eventually(
    async () => {
      let changed = 0
      for await (const { items } of rig.admin.list({ resource: CONFIG_MAPS, namespace }, AbortSignal.timeout(60_000))) {
        changed += items.filter(({ data }) => (data as Record<string, string> | undefined)?.['0'] === 'changed').length
        for (const { data } of items) if (data) expect(Object.keys(data)).toHaveLength(KEYS)
      }
      expect(changed).toBe(MIRRORS)
    },
    { timeoutMs: 300_000, intervalMs: 500 },
  )
})
