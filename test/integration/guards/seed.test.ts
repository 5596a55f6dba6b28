import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'
import { heldFor, numbered } from './held.ts'

/** A rig whose mirror falls back to `<directory>/seed` at once. */
async function seedRig(etcd: EtcdServer, mirror: Readonly<Record<string, unknown>> = {}): Promise<MirrorRig> {
  const rig = await MirrorRig.make(etcd)
  await configure(rig, mirror)
  return rig
}

async function configure(rig: MirrorRig, mirror: Readonly<Record<string, unknown>>): Promise<void> {
  const startup = { seedFrom: join(rig.directory, 'seed'), seedAfter: '100ms' }
  const target = { files: { root: rig.root, startup } }
  await rig.configure({
    conf: { 'operation-timeout': '500ms', 'dial-timeout': '500ms' },
    mirrors: [{ name: 'app', prefix: rig.prefix, target, ...mirror }],
  })
}

function writeSeed(rig: MirrorRig, files: Readonly<Record<string, string>>): void {
  mkdirSync(join(rig.directory, 'seed'))
  for (const [name, content] of Object.entries(files)) writeFileSync(join(rig.directory, 'seed', name), content)
  rig.acceptSurroundings()
}

describe('startup.seedFrom', () => {
  test('is published while etcd is away, outlives a restart, and gives way to an empty prefix in one publish', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await seedRig(etcd)
    writeSeed(rig, { a: 'fallback', b: 'fallback' })
    await etcd.kill()
    const first = rig.run()
    await eventually(async () => expect((await rig.status()).seeded).toBe(true))
    expect(rig.tree().name).toBe('0')
    expect((await rig.get('/readyz')).status).toBe(200)
    expect((await rig.get('/startupz')).status).toBe(200)
    expect(await rig.status()).toMatchObject({
      published: true,
      publishedRevision: 0,
      keys: 2,
      lastKnownEqualAt: null,
      lastError: { reason: 'Unavailable' },
    })
    const line = await first.waitForLog(({ msg }) => String(msg).includes('the fallback of seedFrom is'))
    expect(line).toMatchObject({ level: 'warn', keys: 2 })
    expect((await first.kill()).code).toBe(0)

    rig.run()
    await eventually(async () => expect((await rig.status()).seeded).toBe(true))
    expect(rig.tree().name).toBe('0')
    await etcd.restart()
    await eventually(async () => expect(await rig.status()).toMatchObject({ seeded: false, lastError: null }))
    expect(rig.tree()).toMatchObject({ files: new Map() })
    expect(rig.tree().revision).toBeGreaterThan(0)
    expect(await rig.metric('etcd_mirror_sync_total', { result: 'success' })).toBe(1)
    expect(await rig.metric('etcd_mirror_guard_holds_total')).toBe(0)
  })

  test('is not used when there is a copy already, not even one of another configuration', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await seedRig(etcd)
    writeSeed(rig, { a: 'fallback' })
    await rig.writer.put('a', 'real')
    expect((await rig.runOnce()).code).toBe(0)
    await etcd.kill()
    await configure(rig, { keys: { exclude: ['b'] } })
    rig.run()
    const unavailable = { method: 'range', result: 'Unavailable' }
    await eventually(async () =>
      expect(await rig.metric('etcd_mirror_etcd_requests_total', unavailable)).toBeGreaterThan(3),
    )
    expect(await rig.status()).toMatchObject({ seeded: false, published: true, lastError: { reason: 'Unavailable' } })
    expect(rig.tree().files.get('a')?.toString()).toBe('real')
  })

  test('that is missing or too large is told and tried again; --one-time ends with it', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await seedRig(etcd, { limits: { maxValueBytes: 20 } })
    await etcd.kill()
    const mirror = rig.run()
    const failing = (message: string) =>
      eventually(async () =>
        expect((await rig.status()).lastError).toMatchObject({
          reason: 'SeedUnusable',
          message: expect.stringContaining(message),
        }),
      )
    await failing('it cannot be read (ENOENT)')
    expect((await rig.get('/readyz')).body).toContain('nothing published: SeedUnusable')
    writeSeed(rig, { a: 'more than twenty bytes' })
    await failing('one of its files is larger than limits.maxValueBytes 20')
    await mirror.kill()
    const timedOut = await rig.runOnce(['--timeout', '1s'])
    expect([timedOut.code, timedOut.output]).toEqual([3, expect.stringContaining('larger than limits.maxValueBytes')])

    const second = rig.run()
    await failing('one of its files is larger')
    writeFileSync(join(rig.directory, 'seed/a'), 'small')
    rig.acceptSurroundings()
    await eventually(async () => expect(await rig.status()).toMatchObject({ seeded: true }))
    expect((await rig.status()).lastError?.reason).toBe('Unavailable')
    await second.kill()
    expect((await rig.runOnce()).code).toBe(0)
    expect(rig.tree().files.get('a')?.toString()).toBe('small')
  })

  test('stands in for a first copy that a guard holds', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await seedRig(etcd, { limits: { maxKeys: 3 }, keys: { exclude: ['secret'] } })
    writeSeed(rig, { a: 'fallback', secret: 'left out' })
    await rig.writer.fill(numbered(4))
    const mirror = rig.run()
    await heldFor(rig, mirror, 'LimitExceeded')
    await eventually(async () => expect((await rig.status()).seeded).toBe(true))
    expect([...rig.tree().files.keys()]).toEqual(['a'])
    await rig.writer.delete('key0000')
    await eventually(async () => expect((await rig.status()).seeded).toBe(false))
    expect(rig.tree().files.size).toBe(3)
  })
})
