import { copyFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { raiseAlarm } from '../../support/etcd-alarm.ts'
import { enableAuth } from '../../support/etcd-auth.ts'
import { type EtcdServer, type StartEtcdOptions, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig, type MirrorRigOptions } from '../../support/mirror-rig.ts'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { makeTls } from '../../support/tls.ts'
import { TreeWatcher } from '../../support/tree-watcher.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'

/** An etcd 3.6 behind a proxy, with ten keys, and a mirror that has them. */
async function following(options: MirrorRigOptions = {}, etcdOptions: Partial<StartEtcdOptions> = {}) {
  const setup = await prepared(options, etcdOptions)
  await setup.rig.writer.fill(manyNames(10))
  setup.rig.run()
  await setup.rig.expectSettledCopy()
  return setup
}

async function prepared(options: MirrorRigOptions = {}, etcdOptions: Partial<StartEtcdOptions> = {}) {
  const etcd = await startEtcd({ version: '3.6', ...etcdOptions })
  const proxy = await startTcpProxy(etcd.clientPort)
  const rig = await MirrorRig.make(etcd, { endpoint: proxy.endpoint, ...options })
  return {
    etcd,
    proxy,
    rig,
    async [Symbol.asyncDispose]() {
      await rig[Symbol.asyncDispose]()
      await proxy[Symbol.asyncDispose]()
      await etcd[Symbol.asyncDispose]()
    },
  }
}

function disconnect(proxy: TcpProxy): void {
  proxy.refuse()
  proxy.cut()
}

const resyncs = (rig: MirrorRig, reason?: string) =>
  rig.metric('etcd_mirror_resync_total', reason === undefined ? {} : { reason })

describe('compaction', () => {
  test('at exactly the applied revision, while disconnected: it resumes without a snapshot', async () => {
    await using setup = await following()
    const { rig, proxy } = setup
    const { appliedRevision } = await rig.status()
    disconnect(proxy)
    await rig.writer.txn({ '0000/000001': undefined, '0000/000002': true })
    await rig.writer.compact(appliedRevision)
    await proxy.accept()
    await rig.expectSettledCopy()
    expect(await resyncs(rig)).toBe(1)
  })

  test('one above the applied revision, while disconnected: a snapshot finds what nobody tells of', async () => {
    await using setup = await following()
    const { rig, proxy } = setup
    const { appliedRevision } = await rig.status()
    disconnect(proxy)
    const next = await rig.writer.txn({ '0000/000001': undefined, '0000/000002': true })
    await rig.writer.put('0000/000003')
    expect(next).toBe(appliedRevision + 1)
    await rig.writer.compact(next)
    await proxy.accept()
    await rig.expectSettledCopy()
    expect(await resyncs(rig, 'compacted')).toBe(1)
  })
})

describe('a store that is restored', () => {
  test('with a bumped revision that is marked as compacted: a snapshot, and nothing lost', async () => {
    await using setup = await following()
    await using directory = await makeTempDir()
    const { rig, etcd, proxy } = setup
    await etcd.saveSnapshot(join(directory.path, 'snapshot.db'))
    const saved = rig.writer.log.lastRevision
    await rig.writer.txn({ '0000/000001': undefined, lost: true })
    await rig.expectSettledCopy()
    disconnect(proxy)
    await etcd.kill()
    await etcd.restoreSnapshot(join(directory.path, 'snapshot.db'), ['--bump-revision=1000000', '--mark-compacted'])
    await etcd.start()
    await rig.writer.reconnect(saved)
    await rig.writer.put('0000/000002')
    await proxy.accept()
    await rig.expectSettledCopy()
    expect(await resyncs(rig)).toBe(2)
  })

  test('between two pages of a snapshot, and overtakes it: never half of the one and half of the other', async () => {
    await using setup = await prepared()
    await using directory = await makeTempDir()
    const { rig, etcd, proxy } = setup
    const names = manyNames(3000)
    await rig.writer.fill(names)
    const saved = rig.writer.log.lastRevision
    await etcd.kill()
    await etcd.copyDataDir(join(directory.path, 'data'))
    await etcd.restart()
    await rig.writer.reconnect()
    await rig.writer.put('0029/002999')
    for (let index = 0; index < 5; index++) await etcd.etcdctl(['put', '/other/key', 'x'])
    const head = await rig.writer.head()
    proxy.limit(100_000)
    rig.run()
    await using watcher = new TreeWatcher(rig.root)
    await rig.inSnapshot()
    disconnect(proxy)
    await etcd.kill()
    await etcd.replaceDataDir(join(directory.path, 'data'))
    await etcd.restart()
    await rig.writer.reconnect(saved)
    // Of a page that was read before, and a newer one of a page that will be read: the newest key of all tells nothing.
    await rig.writer.put('0000/000001')
    await rig.writer.put('0028/002800')
    while ((await rig.writer.head()) <= head) await etcd.etcdctl(['put', '/other/key', 'x'])
    proxy.limit(Number.POSITIVE_INFINITY)
    await proxy.accept()
    await eventually(async () => expect((await rig.status()).published).toBe(true))
    await rig.expectSettledCopy()
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })
})

test.each(['NOSPACE', 'CORRUPT'] as const)(
  'the alarm %s: the copy stays as it is, and goes on after it',
  async (alarm) => {
    await using setup = await following({ mirror: { maxStaleness: '1s' } })
    const { rig, etcd } = setup
    await raiseAlarm(etcd, alarm)
    await expect(etcd.etcdctl(['put', '/app/refused', 'x'])).rejects.toThrow(/space|corrupt/)
    const status = await rig.status()
    await eventually(async () => expect((await rig.status()).lastKnownEqualAt).not.toBe(status.lastKnownEqualAt))
    expect((await rig.get('/readyz')).status).toBe(200)
    await rig.expectCopy()
    await etcd.etcdctl(['alarm', 'disarm'])
    await rig.writer.put('after')
    await rig.expectSettledCopy()
    expect(await resyncs(rig)).toBe(1)
  },
)

describe('authentication', () => {
  const reader = { user: 'reader', password: 'reader-password', role: 'app', prefix: '/app/' }

  async function secured(etcd: EtcdServer, rig: MirrorRig) {
    const password = await rig.writeConfig('password', reader.password)
    const conf = { username: reader.user, 'password-file': password, 'insecure-transport': true }
    const { rootEnv } = await enableAuth(etcd, reader)
    const put = (value: string) => etcd.etcdctl(['put', '/app/key', value], { env: rootEnv })
    const shows = (value: string) => eventually(() => expect(rig.tree().files.get('key')?.toString()).toBe(value))
    const fails = (reason: string) =>
      eventually(async () => expect((await rig.status()).lastError?.reason).toBe(reason))
    return { conf, rootEnv, put, shows, fails }
  }

  test('switched on while it runs without a user: the copy stays and says why, and a user heals it', async () => {
    await using setup = await following({ mirror: { maxStaleness: '1s' } })
    const { rig, etcd, proxy } = setup
    const { conf, put, shows, fails } = await secured(etcd, rig)
    proxy.cut()
    await fails('AuthenticationFailed')
    expect(rig.tree().files.size).toBe(10)
    await put('secured')
    await rig.configure({ conf })
    await shows('secured')
    expect((await rig.status()).lastError).toBeNull()
  })

  test('rights that are narrowed to a part of the prefix: the copy stays and says so until they are back', async () => {
    await using setup = await following({ mirror: { maxStaleness: '1s' } })
    const { rig, etcd } = setup
    const { conf, rootEnv, put, shows, fails } = await secured(etcd, rig)
    await rig.configure({ conf })
    await put('allowed')
    await shows('allowed')
    const role = (verb: string, prefix: string, ...more: string[]) =>
      etcd.etcdctl(['role', `${verb}-permission`, '--prefix=true', 'app', ...more, prefix], { env: rootEnv })
    await role('grant', '/app/0000/', 'read')
    await role('revoke', '/app/')
    await fails('PermissionDenied')
    await put('not allowed')
    expect(rig.tree().files.size).toBe(11)
    await role('grant', '/app/', 'read')
    await shows('not allowed')
  })

  test('tokens that expire again and again: reads and watches go on, with no snapshot', async () => {
    await using setup = await following({ mirror: { maxStaleness: '1s' } }, { flags: ['--auth-token-ttl=1'] })
    const { rig, etcd, proxy } = setup
    const { conf, put, shows } = await secured(etcd, rig)
    await rig.configure({ conf })
    for (const value of ['one', 'two', 'three']) {
      await put(value)
      await shows(value)
      const { lastKnownEqualAt } = await rig.status()
      await eventually(async () => expect((await rig.status()).lastKnownEqualAt).not.toBe(lastKnownEqualAt))
      proxy.cut()
    }
    await put('last')
    await shows('last')
    expect(await resyncs(rig, 'unproven')).toBe(0)
    expect(await resyncs(rig, 'reset')).toBe(0)
  })
})

test('a server certificate that expires: the copy stays and says why, and a new certificate heals it', async () => {
  await using tls = await makeTls()
  await using directory = await makeTempDir()
  const server = { cert: join(directory.path, 'server.crt'), key: join(directory.path, 'server.key') }
  const equip = async (pair: { cert: string; key: string }) => {
    await copyFile(pair.cert, server.cert)
    await copyFile(pair.key, server.key)
  }
  await equip(tls.server)
  await using etcd = await startEtcd({ version: '3.6', tls: { ...server, ca: tls.ca } })
  await using rig = await MirrorRig.make(etcd, { conf: { 'ca-file': tls.ca } })
  const put = (value: string) => etcd.etcdctl(['--insecure-skip-tls-verify', 'put', '/app/key', value])
  const shows = (value: string) => eventually(() => expect(rig.tree().files.get('key')?.toString()).toBe(value))
  await put('before')
  rig.run()
  await shows('before')
  await equip(tls.expired)
  await etcd.restart()
  await put('hidden')
  await eventually(async () => expect((await rig.status()).lastError?.reason).toBe('TlsRefused'))
  expect((await rig.get('/readyz')).status).toBe(200)
  await shows('before')
  await equip(tls.server)
  await etcd.restart()
  await eventually(() => shows('hidden'))
})

test('the process is stopped for a while and etcd compacts meanwhile: it catches up when it goes on', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using rig = await MirrorRig.make(etcd)
  await rig.writer.fill(manyNames(100))
  const mirror = rig.run()
  await rig.expectSettledCopy()
  await using watcher = new TreeWatcher(rig.root)
  mirror.signal('SIGSTOP')
  await rig.writer.putMany(manyNames(100))
  await rig.writer.deletePrefix('0000/00001')
  await rig.writer.compact()
  mirror.signal('SIGCONT')
  await rig.expectSettledCopy()
  expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
})

test('more than 1 GiB to catch up on: by events, in pieces, without holding it', { timeout: 400_000 }, async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using rig = await MirrorRig.make(etcd)
  await rig.writer.fill(manyNames(10))
  expect(await rig.runOnce()).toMatchObject({ code: 0 })
  const values = ['a', 'b'].map((letter) => Buffer.alloc(6 * 1024 * 1024, letter))
  for (let round = 0; round < 44; round++) {
    await Promise.all([0, 1, 2, 3].map((index) => rig.writer.put(`large/${index}`, values[(round + index) % 2])))
  }
  rig.run()
  await rig.expectSettledCopy({ timeoutMs: 300_000 })
  expect(await resyncs(rig)).toBe(0)
  expect(await rig.metric('etcd_mirror_events_total')).toBe(176)
  expect(await rig.metric('process_resident_memory_bytes')).toBeLessThan(1024 * 1024 * 1024)
})
