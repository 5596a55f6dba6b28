import { expect, test } from 'vitest'
import { enableAuth } from '../../support/etcd-auth.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'

const compaction = async (rig: MirrorRig) => JSON.parse((await rig.get('/status')).body).compaction
const success = (rig: MirrorRig) => rig.metric('etcd_mirror_compactions_total', { result: 'success' })

test('auto-compact: a mirror of another process that is passed by it converges by a snapshot and loses no delete', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using proxy = await startTcpProxy(etcd.clientPort)
  await using rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint })
  await using compacting = await MirrorRig.make(etcd, { prefix: '/other/', conf: { 'auto-compact': '1s' } })
  await rig.writer.putMany(manyNames(500))
  const mirror = rig.run()
  const { appliedRevision } = await rig.settled()
  await rig.expectCopy()
  proxy.refuse()
  proxy.cut()
  await mirror.waitForLog(({ msg }) => String(msg).startsWith('cannot follow etcd'))
  await rig.writer.deletePrefix('0001/')
  await rig.writer.putMany(manyNames(1100, 200))
  const runner = compacting.run()
  await runner.waitForLog(({ msg }) => String(msg).startsWith('auto-compact is on in a sidecar'))
  await eventually(
    async () => {
      // Its own mirror must move on, or it would hold the compaction back.
      await compacting.writer.putMany(manyNames(50))
      expect(Number((await compaction(compacting)).compactedRevision)).toBeGreaterThan(appliedRevision + 1)
    },
    { timeoutMs: 60_000 },
  )
  await proxy.accept()
  await rig.expectSettledCopy()
  expect(await rig.metric('etcd_mirror_resync_total', { reason: 'compacted' })).toBe(1)
  await compacting.expectSettledCopy()
})

test('auto-compact is turned on, changed and turned off by a reload that leaves the mirrors alone', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using rig = await MirrorRig.make(etcd, { prefix: '', mirror: { rawPrefix: true } })
  await rig.writer.putMany(manyNames(1200))
  const mirror = rig.run()
  await rig.settled()
  expect(await compaction(rig)).toBeNull()
  const configure = async (period: string, periodSeconds: number | undefined) => {
    await rig.configure({ conf: { 'auto-compact': period } })
    await eventually(async () => expect((await compaction(rig))?.periodSeconds).toBe(periodSeconds))
  }
  await configure('1s', 1)
  await eventually(
    async () => {
      await rig.writer.putMany(manyNames(20))
      expect(await success(rig)).toBeGreaterThan(1)
    },
    { timeoutMs: 60_000 },
  )
  await configure('1000h', 3_600_000)
  expect((await compaction(rig)).compactedRevision).toBeGreaterThan(0)
  await configure('0', undefined)
  const reloads = mirror.logs.filter(({ msg }) => msg === 'configuration reloaded')
  expect(reloads.map(({ kept }) => kept)).toEqual([['app'], ['app'], ['app']])
  expect(mirror.logs.filter(({ msg }) => msg === 'watch open')).toHaveLength(1)
  // What the runners write for themselves is no part of any copy.
  expect((await rig.settled()).keys).toBe(rig.writer.log.state.size)
  expect([...rig.expectWritten().files.keys()].some((path) => path.startsWith('etcd-mirror'))).toBe(false)
})

test('auto-compact does not run with --one-time: an init container has the etcd.conf of its sidecar', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using rig = await MirrorRig.make(etcd, { conf: { 'auto-compact': '1h' } })
  await rig.writer.put('a')
  const { code, output } = await rig.runOnce()
  expect(code).toBe(0)
  expect(output).not.toContain('auto-compact')
})

test('etcd-mirror compact compacts to the current revision or to the given one, and needs no mirror.yaml', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using rig = await MirrorRig.make(etcd)
  await rig.writeConfig('mirror.yaml', 'broken: [')
  const compact = (...args: string[]) => rig.result(rig.command('compact', args))
  const fifth = await rig.writer.putMany(manyNames(5))
  const head = await rig.writer.putMany(manyNames(5))
  expect(await compact('--revision', String(fifth))).toEqual({
    code: 0,
    output: `ok       compacted to revision ${fifth}`,
  })
  await etcd.etcdctl(['get', `--rev=${fifth}`, 'x'])
  expect(await compact()).toEqual({ code: 0, output: `ok       compacted to revision ${head}` })
  await expect(etcd.etcdctl(['get', `--rev=${fifth}`, 'x'])).rejects.toThrow('compacted')
  expect(await compact()).toEqual({ code: 0, output: 'ok       compacted already' })
  expect(await compact('--revision', '2')).toEqual({ code: 0, output: 'ok       compacted to revision 2 already' })
  const future = await compact('--revision', String(head + 1000))
  expect(future).toMatchObject({ code: 1, output: expect.stringContaining('the revision lies in the future') })
  await rig.configure({ conf: { endpoints: ['127.0.0.1:1'] } })
  expect(await compact()).toMatchObject({ code: 3 })
  await rig.configure({ conf: { 'auto-compact': 'soon' } })
  expect(await compact()).toMatchObject({ code: 2, output: expect.stringContaining('etcd.conf') })
})

test('etcd-mirror check tells whether auto-compact may take its turn, and which rights are missing; it writes nothing', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using rig = await MirrorRig.make(etcd)
  expect((await rig.check()).output).not.toContain('auto-compact')
  await rig.configure({ conf: { 'auto-compact': '1h' } })
  const head = await rig.writer.put('a')
  expect(await rig.check()).toMatchObject({
    code: 0,
    output: expect.stringContaining('auto-compact: may take its turn'),
  })
  expect(await rig.writer.head()).toBe(head)
  const { rootEnv } = await enableAuth(etcd, { user: 'app', password: 'secret', role: 'reader', prefix: '/app/' })
  const passwordFile = await rig.writeConfig('password', 'secret')
  const login = { username: 'app', 'password-file': passwordFile, 'insecure-transport': true }
  await rig.configure({ conf: { 'auto-compact': '1h', ...login } })
  const { code, output } = await rig.check()
  expect([code, output]).toEqual([4, expect.stringContaining('error    auto-compact: ')])
  const commands =
    output
      .split('\n')
      .find((line) => line.includes('etcdctl'))
      ?.trim()
      .split(' && ') ?? []
  expect(commands).toHaveLength(2)
  for (const command of commands) {
    const args = command.replace(`'<role of app>'`, 'reader').split(' ').slice(1)
    await etcd.etcdctl(args, { env: rootEnv })
  }
  expect(await rig.check()).toMatchObject({
    code: 0,
    output: expect.stringContaining('auto-compact: may take its turn'),
  })
})
