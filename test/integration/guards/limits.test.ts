import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'
import { heldFor, holdLines, numbered, reconfigure, released } from './held.ts'

let etcd: EtcdServer
beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
})
afterAll(async () => {
  await etcd[Symbol.asyncDispose]()
})

describe('limits', () => {
  test('a first sync beyond maxKeys publishes nothing and is unready with the reason, until etcd shrinks', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/first/', mirror: { limits: { maxKeys: 30 } } })
    await rig.writer.fill(numbered(600))
    const mirror = rig.run()
    const { published, lastError } = await heldFor(rig, mirror, 'LimitExceeded')
    expect(published).toBe(false)
    expect(lastError).toMatchObject({
      message: 'Cannot publish: there are at least 600 keys, more than limits.maxKeys 30',
      hint: expect.stringContaining('raise limits.maxKeys'),
    })
    expect(await rig.get('/readyz')).toMatchObject({
      status: 503,
      body: expect.stringContaining('nothing published: LimitExceeded'),
    })
    expect(() => rig.tree()).toThrow('Nothing is published')
    for (const start of ['key01', 'key02', 'key03', 'key04', 'key05']) await rig.writer.deletePrefix(start)
    for (const name of numbered(70)) await rig.writer.delete(name)
    await released(rig)
    expect((await rig.expectCopy()).files.size).toBe(30)
    expect((await rig.get('/readyz')).status).toBe(200)
    expect(holdLines(mirror, 'LimitExceeded')).toHaveLength(1)
    expect(await rig.metric('etcd_mirror_guard_holds_total', { reason: 'LimitExceeded' })).toBe(1)
  })

  test('a first sync beyond maxBytes ends before all of it is read, and leaves nothing on the disk', async () => {
    const mirror = { limits: { maxBytes: '1Mi' }, keys: { exclude: ['no such key'] } }
    await using rig = await MirrorRig.make(etcd, { prefix: '/bytes/', mirror })
    const value = Buffer.alloc(64 * 1024)
    for (const name of numbered(200)) await rig.writer.put(name, value)
    const { lastError } = await heldFor(rig, rig.run(), 'LimitExceeded')
    const [, bytes] =
      /at least (\d+) bytes together, more than limits.maxBytes 1Mi/.exec(lastError?.message ?? '') ?? []
    expect(Number(bytes)).toBeGreaterThan(2 ** 20)
    // 200 × 64 KiB stand there; the first page is larger than the limit already.
    expect(Number(bytes)).toBeLessThan(200 * value.length)
    await eventually(() => expect(readdirSync(join(rig.root, '.etcd-mirror/work'))).toEqual([]))
  })

  test('a value beyond maxValueBytes holds it and all that comes after, until it is smaller', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/value/', mirror: { limits: { maxValueBytes: '1Ki' } } })
    await rig.writer.txn({ small: 'before', large: 'before' })
    const mirror = rig.run()
    const { publishedRevision } = await rig.settled()
    await rig.writer.put('large', Buffer.alloc(1025))
    const { lastError } = await heldFor(rig, mirror, 'LimitExceeded')
    expect(lastError?.message).toBe('Cannot publish: a value of 1025 bytes is larger than limits.maxValueBytes 1Ki')
    expect(holdLines(mirror, 'LimitExceeded')[0]?.key).toBe('/value/large')
    const laterRevision = await rig.writer.put('small', 'after')
    await rig.writer.put('new')
    await eventually(async () => expect((await rig.status()).observedRevision).toBeGreaterThanOrEqual(laterRevision))
    expect(rig.tree().revision).toBe(publishedRevision)
    expect((await rig.status()).phase).toBe('Held')
    await rig.writer.put('large', Buffer.alloc(1024))
    await released(rig)
    await rig.expectCopy()
  })

  test('a copy that grows beyond maxKeys is held, over a restart too, until the limit is raised', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/grow/', mirror: { limits: { maxKeys: 30 } } })
    await rig.writer.fill(numbered(30))
    const first = rig.run()
    const before = await rig.expectSettledCopy()
    await rig.writer.txn({ new: true, key0000: 'changed' })
    await heldFor(rig, first, 'LimitExceeded')
    expect((await first.kill()).code).toBe(0)
    expect(rig.tree()).toEqual(before)

    const { code, output } = await rig.runOnce()
    expect(code).toBe(7)
    expect(output).toContain('etcd-mirror: Cannot publish: there are at least 31 keys, more than limits.maxKeys 30 (')
    expect(rig.tree()).toEqual(before)

    const second = rig.run()
    await heldFor(rig, second, 'LimitExceeded')
    expect(rig.tree()).toEqual(before)
    expect((await rig.get('/readyz')).status).toBe(200)
    await reconfigure(rig, { limits: { maxKeys: 31 } })
    await released(rig)
    await rig.expectCopy()
  })
})
