import { expect, test } from 'vitest'
import { startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { fileIdentities } from '../../support/tree-reader.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'

test.each([
  ['with resync-after-reconnect a reconnect compares everything, and rewrites nothing that is equal', true, 1],
  ['without resync-after-reconnect a reconnect goes on behind the last revision', false, 0],
])('%s', async (_title, isOn, resyncs) => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using proxy = await startTcpProxy(etcd.clientPort)
  await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint, conf: { 'resync-after-reconnect': isOn } })
  await rig.writer.fill(manyNames(300))
  const mirror = rig.run()
  await rig.expectSettledCopy()
  const before = fileIdentities(rig.root)
  proxy.refuse()
  proxy.cut()
  await mirror.waitForLog(({ msg }) => String(msg).startsWith('cannot follow etcd'))
  await rig.writer.put('0000/000007')
  await rig.writer.delete('0001/000150')
  await rig.writer.put('new')
  await proxy.accept()
  await rig.expectSettledCopy()
  await eventually(async () => {
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'reconnect' })).toBe(resyncs)
  })
  expect(await rig.metric('etcd_mirror_resync_total')).toBe(1 + resyncs)
  for (const [path, identity] of fileIdentities(rig.root)) {
    if (path !== 'new' && path !== '0000/000007') expect(before.get(path), path).toEqual(identity)
  }
})
