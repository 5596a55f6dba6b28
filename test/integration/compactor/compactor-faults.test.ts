import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { enableAuth } from '../../support/etcd-auth.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames, Writer } from '../../support/writer.ts'
import { HOUR_MS, Replica } from './compactor-rig.ts'

const MANY = 1200

test('Compactor compacts a full database without a claim: that is what cures it', async () => {
  await using etcd = await startEtcd({ version: '3.6', flags: ['--quota-backend-bytes=12000000'] })
  using writer = await Writer.open(etcd.endpoint, '/app/')
  await writer.putMany(manyNames(MANY))
  await using replica = await Replica.start({ endpoint: etcd.endpoint })
  const seen = await writer.head()
  await writer.putMany(manyNames(MANY))
  const value = Buffer.alloc(100_000)
  await expect(
    (async () => {
      for (;;) await writer.put('large', value)
    })(),
  ).rejects.toMatchObject({ code: 'NoSpace' })
  await replica.pass(HOUR_MS)
  expect(replica.results).toEqual(['success'])
  expect(replica.logs).toContain('compacting without the other runners: the database is full')
  await expect(etcd.etcdctl(['get', `--rev=${seen - 1}`, 'x'])).rejects.toThrow('compacted')
  await etcd.etcdctl(['get', `--rev=${seen}`, 'x'])
})

test('Compactor that etcd does not permit says so and asks again after an hour', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  using writer = await Writer.open(etcd.endpoint, '/app/')
  await writer.putMany(manyNames(MANY))
  const { rootEnv } = await enableAuth(etcd, { user: 'app', password: 'secret', role: 'reader', prefix: '/app/' })
  await using directory = await makeTempDir('auth')
  const passwordFile = join(directory.path, 'password')
  await writeFile(passwordFile, 'secret')
  const conf = { username: 'app', 'password-file': passwordFile, 'insecure-transport': true }
  await using replica = await Replica.start({ endpoint: etcd.endpoint, conf, periodMs: HOUR_MS / 4 })
  expect(replica.compactor.status()).toMatchObject({
    phase: 'Denied',
    lastError: {
      reason: 'PermissionDenied',
      hint: expect.stringContaining('READ and WRITE on etcd-mirror/compaction'),
    },
  })
  expect(replica.results).toEqual(['denied'])
  await replica.pass(HOUR_MS - 1)
  expect(replica.results).toEqual(['denied'])
  const grant = ['role', 'grant-permission', 'reader']
  await etcd.etcdctl([...grant, 'readwrite', 'etcd-mirror/compaction'], { env: rootEnv })
  await etcd.etcdctl([...grant, 'read', 'compact_rev_key'], { env: rootEnv })
  await replica.pass(1)
  expect(replica.compactor.status()).toMatchObject({ phase: 'Waiting', lastError: undefined })
})

test('Compactor begins anew with a store that was restored, and compacts nothing that it has not seen for a period', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using directory = await makeTempDir('restore')
  using writer = await Writer.open(etcd.endpoint, '/app/')
  await writer.putMany(manyNames(MANY))
  const backup = join(directory.path, 'backup')
  await etcd.kill()
  await etcd.copyDataDir(backup)
  await etcd.restart()
  await writer.reconnect()
  await writer.putMany(manyNames(MANY))
  await using replica = await Replica.start({ endpoint: etcd.endpoint })
  await etcd.kill()
  await etcd.replaceDataDir(backup)
  await etcd.restart()
  await writer.reconnect()
  replica.clock.advance(HOUR_MS)
  // The connection was cut under it: the first tries may fail.
  await eventually(async () => {
    await replica.pass(60_000)
    expect(replica.logs).toContain('another store: the compaction begins with a new period')
  })
  expect(replica.results).not.toContain('success')
  const seen = await writer.head()
  await writer.putMany(manyNames(MANY))
  await replica.pass(HOUR_MS)
  expect(replica.compactor.status().compactedRevision).toBe(seen)
})

test('Compactor tries again while etcd is away', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  using writer = await Writer.open(etcd.endpoint, '/app/')
  await writer.putMany(manyNames(MANY))
  const seen = await writer.head()
  await using replica = await Replica.start({ endpoint: etcd.endpoint })
  await writer.putMany(manyNames(MANY))
  await etcd.kill()
  await replica.pass(HOUR_MS)
  expect(replica.compactor.status()).toMatchObject({ phase: 'Retrying', lastError: { reason: 'Unavailable' } })
  await etcd.restart()
  await eventually(async () => {
    await replica.pass(60_000)
    expect(replica.compactor.status().compactedRevision).toBe(seen)
  })
  expect(new Set(replica.results)).toEqual(new Set(['error', 'success']))
})
