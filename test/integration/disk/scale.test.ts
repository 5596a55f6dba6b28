import { opendirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { decodeKeyPath } from '../../../src/targets/files/key-path.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { differences } from '../../support/oracle.ts'
import { eventually } from '../../support/wait.ts'
import { BulkWriter } from './bulk-writer.ts'
import { complaints, DiskRig } from './disk-rig.ts'

/** A million takes a minute and a half: it is for ETCD_MIRROR_TEST_KEYS=1000000. */
const KEYS = Number(process.env.ETCD_MIRROR_TEST_KEYS ?? 300_000)
const LAYOUTS = ['Snapshot', 'InPlace'] as const
const LIMITS = { maxKeys: 2_000_000, maxBytes: '1Gi' }
const PATIENT = { timeoutMs: 170_000, intervalMs: 200 }

let etcd: EtcdServer
beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
})
afterAll(async () => {
  await etcd[Symbol.asyncDispose]()
})

/** `<thousands>/<number>`, a thousand in each directory. */
function nameOf(index: number): string {
  const number = String(index).padStart(7, '0')
  return `${number.slice(0, 4)}/${number}`
}

interface Probing {
  /** Resolves with every answer that was another one. */
  stop(): Promise<readonly string[]>
}

/** Asks again and again. */
function probing({ rig }: DiskRig, expected: Readonly<Record<string, number>>): Probing {
  const wrong: string[] = []
  let isStopped = false
  const ask = async ([path, status]: readonly [string, number]) => {
    const answer = await rig.get(path).catch((error: unknown) => ({ status: String(error) }))
    if (answer.status !== status) wrong.push(`${path} ${answer.status}`)
  }
  const asking = (async () => {
    while (!isStopped) {
      for (const probe of Object.entries(expected)) await ask(probe)
      await sleep(50)
    }
  })()
  return {
    async stop() {
      isStopped = true
      await asking
      return wrong
    },
  }
}

function countFiles(directory: string): number {
  const opened = opendirSync(directory, { bufferSize: 1000 })
  let count = 0
  for (let entry = opened.readSync(); entry !== null; entry = opened.readSync()) {
    count += entry.isDirectory() ? countFiles(join(directory, entry.name)) : 1
  }
  opened.closeSync()
  return count
}

describe('many keys, on etcd 3.6', () => {
  test(`${KEYS} keys: a first sync, a change, and a restart that lists nothing`, { timeout: 300_000 }, async () => {
    // A volume of its own: each name of a file counts as an inode of a tmpfs.
    const mount = 'size=12g,nr_inodes=0'
    await using disk = await DiskRig.make(etcd, { prefix: '/scale/', mount, mirror: { limits: LIMITS } })
    const { rig } = disk
    using bulk = await BulkWriter.open(etcd.endpoint, '/scale/')
    await bulk.fill(KEYS, nameOf)
    const first = disk.run()
    await eventually(async () => expect((await rig.get('/livez')).status).toBe(200))
    const startProbes = probing(disk, { '/livez': 200 })
    await eventually(async () => expect((await rig.status()).keys).toBe(KEYS), PATIENT)
    expect(await startProbes.stop()).toEqual([])

    const probes = probing(disk, { '/livez': 200, '/readyz': 200 })
    const changed = Math.floor(KEYS / 2)
    await bulk.put(nameOf(changed), 'changed')
    const file = (index: number) => readFileSync(join(rig.root, 'current', nameOf(index)), 'utf8')
    await eventually(() => expect(file(changed)).toBe('changed'), PATIENT)
    expect(await probes.stop()).toEqual([])
    expect(countFiles(join(rig.root, 'current'))).toBe(KEYS)
    for (let index = 0; index < KEYS; index += 499) if (index !== changed) expect(file(index)).toBe(String(index))

    expect(await first.kill()).toMatchObject({ code: 0 })
    const revision = await bulk.put(nameOf(1), 'after')
    disk.run()
    await eventually(async () => expect((await rig.status()).appliedRevision).toBeGreaterThanOrEqual(revision), PATIENT)
    expect(file(1)).toBe('after')
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(0)
    expect(await rig.metric('etcd_mirror_events_total')).toBe(1)
  })

  test.each(LAYOUTS)('100,000 keys in one directory, layout %s', async (layout) => {
    const prefix = `/flat-${layout}/`
    await using disk = await DiskRig.make(etcd, { prefix, layout, mount: 'size=2g,nr_inodes=0' })
    const { rig } = disk
    using bulk = await BulkWriter.open(etcd.endpoint, prefix)
    await bulk.fill(100_000, String)
    disk.run()
    await eventually(async () => expect((await rig.status()).keys).toBe(100_000), PATIENT)
    const probes = probing(disk, { '/livez': 200, '/readyz': 200 })
    const revision = await bulk.put('5', 'changed')
    await eventually(async () => expect((await rig.status()).appliedRevision).toBeGreaterThanOrEqual(revision), PATIENT)
    expect(await probes.stop()).toEqual([])
    const files = disk.files()
    expect(files.size).toBe(100_000)
    for (const [name, value] of files)
      if (value.toString() !== name) expect([name, String(value)]).toEqual(['5', 'changed'])
  })
})

describe.each(LAYOUTS)('long keys, on etcd 3.6, layout %s', (layout) => {
  test('4 KiB and 1,000 levels: what has a path is there, what has none is counted and kept out', async () => {
    await using disk = await DiskRig.make(etcd, { prefix: `/long-${layout}/`, layout })
    const { rig } = disk
    const deep = 'l/'.repeat(999).concat('leaf')
    await rig.writer.txn({ plain: true, [deep]: true, ['one name '.repeat(430)]: true, [segmented(4096)]: true })
    const first = disk.run()
    const { keyErrors } = await rig.settled()
    expect(keyErrors.count).toBe(1)
    const most = Number(/at most (\d+) fit/.exec(keyErrors.examples?.[0]?.reason ?? '')?.[1])
    await rig.writer.txn({ [segmented(most)]: true, [segmented(most + 1)]: true, plain: true })
    const expectAllBut = async (...missing: readonly string[]) => {
      expect((await rig.settled()).keyErrors.count).toBe(missing.length)
      expect(await rig.metric('etcd_mirror_key_errors')).toBe(missing.length)
      expect(await disk.readiness()).toBe(200)
      const keys = [...disk.files()].map(
        ([path, value]) => [rig.prefix + decodeKeyPath(path).toString(), value] as const,
      )
      const expected = new Map(rig.writer.log.state)
      for (const name of missing) expect(expected.delete(rig.prefix + name)).toBe(true)
      expect(differences(new Map(keys), expected)).toEqual([])
    }
    await expectAllBut(segmented(4096), segmented(most + 1))
    expect(await first.kill()).toMatchObject({ code: 0 })
    await rig.writer.txn({ [deep]: undefined, [segmented(4096)]: undefined })
    const second = disk.run()
    await expectAllBut(segmented(most + 1))
    await rig.writer.txn({ [segmented(most)]: undefined, [segmented(most + 1)]: undefined })
    await expectAllBut()
    expect([...disk.files().keys()].filter((path) => path.startsWith('l/') || path.startsWith('s'))).toEqual([])
    expect(Object.keys(complaints(second))).toEqual([])
  })
})

/** A key of so many bytes in segments of up to 100. */
function segmented(bytes: number): string {
  const key = 's'
    .repeat(99)
    .concat('/')
    .repeat(Math.ceil(bytes / 100))
    .slice(0, bytes)
  return key.endsWith('/') ? `${key.slice(0, -1)}s` : key
}
