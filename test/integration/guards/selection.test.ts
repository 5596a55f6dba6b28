import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'
import { numbered, reconfigure } from './held.ts'

let etcd: EtcdServer
beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
})
afterAll(async () => {
  await etcd[Symbol.asyncDispose]()
})

const names = (rig: MirrorRig) => [...rig.tree().files.keys()].toSorted()

test('keys.include and exclude select of the snapshot and of events, and keys counts the copy', async () => {
  const keys = { include: ['app/**', '*'], exclude: ['**/*.tmp'] }
  await using rig = await MirrorRig.make(etcd, { prefix: '/select/', mirror: { keys } })
  await rig.writer.txn({ top: true, 'app/a': true, 'app/b.tmp': true, 'web/a': true, 'x.tmp': true })
  rig.run()
  await rig.settled()
  expect(names(rig)).toEqual(['app/a', 'top'])
  await rig.writer.txn({ 'app/c/d': true, 'app/c/e.tmp': true, 'web/b': true, top: undefined })
  const { keys: count } = await rig.settled()
  expect(names(rig)).toEqual(['app/a', 'app/c/d'])
  expect(count).toBe(2)
  expect(await rig.metric('etcd_mirror_keys')).toBe(2)
  // What is left out moves the position and nothing else; the proof of freshness still counts every key.
  const { publishedRevision } = await rig.status()
  const left = await rig.writer.put('web/c')
  const { appliedRevision } = await rig.settled()
  expect(appliedRevision).toBeGreaterThanOrEqual(left)
  expect(rig.tree().revision).toBe(publishedRevision)
})

test('a change of keys.exclude moves the copy over in one publish, however many keys go', async () => {
  await using rig = await MirrorRig.make(etcd, {
    prefix: '/move/',
    mirror: { safety: {} },
    files: { readerGrace: '30s' },
  })
  await rig.writer.fill([...numbered(10, 'a/'), ...numbered(90, 'b/')])
  const mirror = rig.run()
  const { publishedRevision: first } = await rig.settled()
  const sizes = new Set<number>()
  await reconfigure(rig, { keys: { exclude: ['b/**'] } })
  await eventually(
    () => {
      sizes.add(rig.tree().files.size)
      expect([...sizes]).toContain(10)
    },
    { intervalMs: 1 },
  )
  expect([...sizes].filter((size) => size !== 100)).toEqual([10])
  expect(names(rig)).toEqual(numbered(10, 'a/'))
  expect(rig.tree().revision).toBe(first)
  expect(mirror.logs.filter(({ msg }) => msg === 'a guard holds the last good copy')).toEqual([])
})

test('a change that leaves no key is held: a glob with a typing error does not empty the copy', async () => {
  await using rig = await MirrorRig.make(etcd, { prefix: '/typo/' })
  await rig.writer.fill(numbered(3))
  rig.run()
  await rig.settled()
  await reconfigure(rig, { keys: { include: ['kez*'] } })
  await eventually(async () =>
    expect(await rig.status()).toMatchObject({ phase: 'Held', keys: 3, lastError: { reason: 'EmptyRefused' } }),
  )
  expect(rig.tree().files.size).toBe(3)
})

test('leased: Skip leaves keys with a lease out, follows them in and out, and knows nothing of their end', async () => {
  await using rig = await MirrorRig.make(etcd, { prefix: '/lease/', mirror: { keys: { leased: 'Skip' } } })
  const long = await rig.writer.grantLease(600)
  await rig.writer.put('leased', 'x', long)
  await rig.writer.put('plain', 'x')
  rig.run()
  await rig.settled()
  expect(names(rig)).toEqual(['plain'])
  await rig.writer.put('plain', 'y', long)
  await rig.writer.put('leased', 'y')
  await rig.writer.put('expiring', 'y', await rig.writer.grantLease(2))
  await rig.settled()
  expect(names(rig)).toEqual(['leased'])
  expect(readFileSync(join(rig.root, 'current/leased'), 'utf8')).toBe('y')
  const { publishedRevision } = await rig.status()
  // The expiry is an event of its own, and a delete of what never was there.
  await eventually(async () => expect(await rig.metric('etcd_mirror_events_total', { type: 'delete' })).toBe(1))
  expect(await rig.status()).toMatchObject({ publishedRevision, keys: 1 })
})
