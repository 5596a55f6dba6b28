import { describe, expect, test } from 'vitest'
import { startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { TreeWatcher } from '../../support/tree-watcher.ts'
import { eventually } from '../../support/wait.ts'
import { allowanceOf, heldFor, holdLines, numbered, reconfigure, released } from './held.ts'

/** The defaults: the rig's own is to let every delete pass. */
const GUARDED = { mirror: { safety: {} } }

describe('safety', () => {
  test('refuseEmpty: a first empty copy is published, a copy that had keys is held until one is back', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, GUARDED)
    const mirror = rig.run()
    expect((await rig.expectSettledCopy()).files.size).toBe(0)
    await rig.writer.txn({ a: true, b: true })
    const before = await rig.expectSettledCopy()
    const deleted = await rig.writer.txn({ a: undefined, b: undefined })
    const status = await heldFor(rig, mirror, 'EmptyRefused')
    expect(status.lastError).toMatchObject({ message: `Cannot publish revision ${deleted}: it would leave no key` })
    expect(allowanceOf(status)).toBe(deleted)
    expect(status.keys).toBe(2)
    expect((await rig.get('/readyz')).status).toBe(200)
    expect(rig.tree()).toEqual(before)
    await rig.writer.put('b')
    await released(rig)
    expect((await rig.expectCopy()).files.size).toBe(1)
    expect(holdLines(mirror, 'EmptyRefused')).toHaveLength(1)
  })

  test('maxDeletePercent: held deletes and puts after them show together, once the keys are back', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, GUARDED)
    await rig.writer.fill(numbered(100))
    const mirror = rig.run()
    const before = await rig.expectSettledCopy()
    await using watcher = new TreeWatcher(rig.root)
    const gone = numbered(60)
    await rig.writer.txn(Object.fromEntries(gone.map((name) => [name, undefined])))
    const status = await heldFor(rig, mirror, 'DeletesRefused')
    expect(status.lastError?.message).toContain('60 of 100 keys would go')
    const newer = await rig.writer.put('key0099', 'newer')
    await rig.writer.put('unrelated')
    await eventually(async () => expect((await rig.status()).observedRevision).toBeGreaterThanOrEqual(newer))
    expect(rig.tree()).toEqual(before)
    await rig.writer.txn(Object.fromEntries(gone.slice(0, 20).map((name) => [name, true])))
    await released(rig)
    expect((await rig.expectCopy()).files.size).toBe(61)
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('allowDeleteUpTo: what the hint says lets it go on, and once only', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, GUARDED)
    await rig.writer.fill(numbered(100))
    const mirror = rig.run()
    await rig.settled()
    await rig.writer.deletePrefix('key000')
    await rig.settled()
    await rig.writer.deletePrefix('key00')
    const allowance = allowanceOf(await heldFor(rig, mirror, 'EmptyRefused'))
    await rig.writer.fill(numbered(30, 'other'))
    await eventually(async () =>
      expect((await rig.status()).lastError).toMatchObject({
        reason: 'DeletesRefused',
        hint: expect.stringContaining(String(allowance)),
      }),
    )
    await reconfigure(rig, { safety: { allowDeleteUpTo: allowance } })
    await released(rig)
    expect((await rig.expectCopy()).files.size).toBe(30)
    // The allowed ones do not count against a small one, and allow no second large one.
    await rig.writer.delete('other0029')
    await rig.settled()
    await rig.writer.deletePrefix('other')
    const second = await heldFor(rig, mirror, 'EmptyRefused')
    expect(allowanceOf(second)).toBeGreaterThan(allowance)
    expect(rig.tree().files.size).toBe(29)
  })

  test('a restart keeps the held copy, and allowDeleteUpTo works when etcd was busy and is compacted', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, GUARDED)
    await rig.writer.fill(numbered(50))
    const mirror = rig.run()
    const before = await rig.expectSettledCopy()
    await rig.writer.txn(Object.fromEntries(numbered(40).map((name) => [name, undefined])))
    const allowance = allowanceOf(await heldFor(rig, mirror, 'DeletesRefused'))
    expect((await mirror.kill()).code).toBe(0)

    await rig.writer.putMany(numbered(200, 'key0049/'))
    await rig.writer.deletePrefix('key0049/')
    await rig.writer.compact()
    const refused = await rig.runOnce()
    expect([refused.code, refused.output]).toEqual([7, expect.stringContaining('40 of 50 keys would go')])
    expect(rig.tree()).toEqual(before)

    await reconfigure(rig, { safety: { allowDeleteUpTo: allowance } })
    expect((await rig.runOnce()).code).toBe(0)
    expect((await rig.expectCopy()).files.size).toBe(10)
  })

  test('a wiped etcd does not wipe the copy, and its hint works although its revisions began anew', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using empty = await makeTempDir('wiped')
    await etcd.kill()
    await etcd.copyDataDir(`${empty.path}/data`)
    await etcd.restart()
    await using rig = await MirrorRig.make(etcd, GUARDED)
    await rig.writer.putMany(numbered(30))
    const mirror = rig.run()
    const before = await rig.expectSettledCopy()
    await etcd.kill()
    await etcd.replaceDataDir(`${empty.path}/data`)
    await etcd.restart()
    const status = await heldFor(rig, mirror, 'EmptyRefused')
    expect(rig.tree()).toEqual(before)
    await reconfigure(rig, { safety: { allowDeleteUpTo: allowanceOf(status) } })
    await eventually(() => expect(rig.tree().files.size).toBe(0))
    expect((await rig.status()).epoch).toBe(1)
  })
})
