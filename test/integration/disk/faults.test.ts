import { execFile } from 'node:child_process'
import { chmodSync, chownSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import type { MirrorProcess } from '../../support/mirror-process.ts'
import { readTree } from '../../support/tree-reader.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'
import { complaints, DiskRig, type DiskRigOptions } from './disk-rig.ts'

const run = promisify(execFile)
const LAYOUTS = ['Snapshot', 'InPlace'] as const
const NOBODY = 65_534

let etcd: EtcdServer
let count = 0
beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
})
afterAll(async () => {
  await etcd[Symbol.asyncDispose]()
})

function makeDisk(options: Omit<DiskRigOptions, 'prefix'>): Promise<DiskRig> {
  count += 1
  return DiskRig.make(etcd, { ...options, prefix: `/disk-${count}/` })
}

const CANNOT_WRITE = 'cannot write the target; retrying, the last good copy stays'

/** What may be told beside it, also once: work that nobody waits for fails too, and the configuration cannot be read. */
const BESIDE =
  /^(background work on files failed \| Target\w+ \| app|the configuration is broken; the one in use stays)$/

/** Each reason is told once, however often it was tried. */
function expectToldOnce(mirror: MirrorProcess, ...reasons: readonly string[]): void {
  const told = complaints(mirror)
  expect(Object.fromEntries(Object.keys(told).map((line) => [line, 1]))).toEqual(told)
  const lines = Object.keys(told).filter((line) => !BESIDE.test(line))
  expect(lines).toEqual(reasons.map((reason) => `${CANNOT_WRITE} | ${reason} | app`))
}

describe.concurrent.each(LAYOUTS)('the layout %s on a volume that fails, on etcd 3.6', (layout) => {
  const fill = async ({ rig }: DiskRig) => {
    await rig.writer.fill(manyNames(20))
    await rig.writer.put('a')
  }

  test('out of blocks: the copy stays, the reason is told once, a larger volume heals it', async () => {
    await using disk = await makeDisk({ layout, mount: 'size=1m' })
    const { rig, volume } = disk
    await fill(disk)
    const mirror = disk.run()
    await disk.healed()
    const consumer = disk.watch()
    await rig.writer.txn({ a: true, large: Buffer.alloc(2_000_000, 1), z: true })
    await disk.failing('TargetFull')
    expect(await disk.readiness()).toBe(200)
    expect((await rig.status()).lag).toBeGreaterThan(0)
    await volume.resize('size=16m')
    await disk.healed()
    expect(await consumer.faults()).toEqual([])
    expectToldOnce(mirror, 'TargetFull')
  })

  test('out of inodes: the copy stays, the reason is told once, more inodes heal it', async () => {
    await using disk = await makeDisk({ layout, mount: 'size=16m,nr_inodes=150' })
    const { rig, volume } = disk
    await fill(disk)
    const mirror = disk.run()
    await disk.healed()
    const consumer = disk.watch()
    await rig.writer.fill(manyNames(300))
    await disk.failing('TargetFull')
    expect(await disk.readiness()).toBe(200)
    await volume.resize('nr_inodes=10000')
    await disk.healed()
    expect(await consumer.faults()).toEqual([])
    expectToldOnce(mirror, 'TargetFull')
  })

  test('full at the first start: not ready and told once, until there is room', async () => {
    await using disk = await makeDisk({ layout, mount: 'size=256k' })
    const { rig, volume } = disk
    await fill(disk)
    await rig.writer.put('large', Buffer.alloc(2_000_000, 1))
    const mirror = disk.run()
    await disk.failing('TargetFull')
    expect(await disk.readiness()).toBe(503)
    expect(readTree(rig.root)).toBeUndefined()
    await volume.resize('size=16m')
    await disk.healed()
    expectToldOnce(mirror, 'TargetFull')
  })

  test('read-only: the copy stays, the reason is told once, writable again it heals', async () => {
    await using disk = await makeDisk({ layout, mount: 'size=16m' })
    const { rig, volume } = disk
    await fill(disk)
    const mirror = disk.run()
    await disk.healed()
    const consumer = disk.watch()
    await volume.makeReadOnly()
    await rig.writer.txn({ a: true, b: true })
    await disk.failing('TargetNotWritable')
    expect(await disk.readiness()).toBe(200)
    await rig.writer.put('a')
    await volume.unmount()
    await disk.healed()
    expect(await consumer.faults()).toEqual([])
    expectToldOnce(mirror, 'TargetNotWritable')
  })

  test('read-only at a restart: the copy stays, and is not called ready before it was looked at', async () => {
    await using disk = await makeDisk({ layout, mount: 'size=16m' })
    const { rig, volume } = disk
    await fill(disk)
    const first = disk.run()
    await disk.healed()
    await first.kill()
    const consumer = disk.watch()
    await volume.makeReadOnly()
    await rig.writer.put('a')
    const mirror = disk.run()
    await disk.failing('TargetNotWritable')
    expect(await disk.readiness()).toBe(503)
    await volume.unmount()
    await disk.healed()
    expect(await consumer.faults()).toEqual([])
    expectToldOnce(mirror, 'TargetNotWritable')
  })

  test('the root not writable for the user of the process: the copy stays, rights heal it', async () => {
    await using disk = await makeDisk({ layout })
    const { rig } = disk
    await fill(disk)
    const by = asNobody(disk)
    const mirror = disk.run(by)
    await disk.healed()
    const consumer = disk.watch()
    chmodSync(rig.root, 0o500)
    await rig.writer.txn({ a: true, b: true })
    await disk.failing('TargetNotWritable')
    expect(await disk.readiness()).toBe(200)
    chmodSync(rig.root, 0o755)
    await disk.healed()
    expect(await consumer.faults()).toEqual([])
    expectToldOnce(mirror, 'TargetNotWritable')
  })

  test('no file descriptor left: the copy stays, the reason is told once, more of them heal it', async () => {
    await using disk = await makeDisk({ layout })
    const { rig } = disk
    await fill(disk)
    const mirror = disk.run()
    await disk.healed()
    const consumer = disk.watch()
    await limitDescriptors(mirror, firstFree(mirror))
    await rig.writer.txn({ a: true, b: true })
    await disk.failing('TargetNotWritable')
    expect((await rig.status()).lastError?.hint).toContain('open files')
    await limitDescriptors(mirror, 1000)
    await disk.healed()
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'target' })).toBe(0)
    expect(await consumer.faults()).toEqual([])
    expectToldOnce(mirror, 'TargetNotWritable')
  })

  test('the root removed: it is made anew at the next change', async () => {
    await using disk = await makeDisk({ layout })
    const { rig } = disk
    await fill(disk)
    const mirror = disk.run()
    await disk.healed()
    rmSync(rig.root, { recursive: true })
    await rig.writer.put('a')
    await disk.healed()
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'target' })).toBe(1)
    expectToldOnce(mirror, 'TargetBroken')
  })

  test('.etcd-mirror removed: the copy stays, and is compared with etcd at the next change', async () => {
    await using disk = await makeDisk({ layout })
    const { rig } = disk
    await fill(disk)
    const mirror = disk.run()
    await disk.healed()
    const consumer = disk.watch()
    rmSync(join(rig.root, '.etcd-mirror'), { recursive: true })
    await rig.writer.put('a')
    await disk.healed()
    await rig.writer.put('a')
    await disk.healed()
    expect(await consumer.faults()).toEqual([])
    expectToldOnce(mirror, 'TargetBroken')
    expect(await mirror.kill()).toMatchObject({ code: 0 })
    disk.run()
    await rig.writer.put('a')
    await disk.healed()
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(0)
  })

  test('the volume of the root gone and mounted again empty: all of it is written there', async () => {
    await using disk = await makeDisk({ layout, mount: 'size=16m' })
    const { rig, volume } = disk
    await fill(disk)
    const mirror = disk.run()
    await disk.healed()
    await volume.unmount()
    await volume.mount('size=8m')
    await rig.writer.put('a')
    await disk.healed()
    // Also while nothing is mounted there for some time.
    await volume.unmount()
    await rig.writer.put('a')
    await disk.healed()
    await volume.mount('size=8m')
    await rig.writer.put('a')
    await disk.healed()
    expect(Object.keys(complaints(mirror))).toEqual([`${CANNOT_WRITE} | TargetBroken | app`])
    await mirror.kill()
    // What was written while nothing was mounted stands beside the root that the rig knows.
    rig.acceptSurroundings()
  })
})

test.concurrent('room for one tree alone: a change waits, and each reason is told once', async () => {
  await using disk = await makeDisk({ mount: 'size=16m,nr_inodes=160' })
  const { rig, volume } = disk
  await rig.writer.fill(manyNames(100))
  const mirror = disk.run()
  await disk.healed()
  const consumer = disk.watch()
  await rig.writer.put('0000/000005')
  await disk.failing('TargetFull')
  await volume.resize('nr_inodes=1000')
  await disk.healed()
  expect(await consumer.faults()).toEqual([])
  expect(complaints(mirror)).toEqual({
    [`${CANNOT_WRITE} | TargetFull | app`]: 1,
    'background work on files failed | TargetFull | app': 1,
  })
})

test.concurrent('`current` removed: it is there again with the next change, or after SIGHUP', async () => {
  await using disk = await makeDisk({})
  const { rig } = disk
  await rig.writer.fill(manyNames(20))
  const mirror = disk.run()
  await disk.healed()
  rmSync(join(rig.root, 'current'))
  await rig.writer.put('a')
  await disk.healed()
  rmSync(join(rig.root, 'current'))
  mirror.signal('SIGHUP')
  await eventually(() => expect(readTree(rig.root)).toBeDefined())
  await disk.healed()
})

/** The command that runs another one as a user who owns the root, and may read nothing else than the configuration. */
function asNobody({ rig }: DiskRig): readonly string[] {
  mkdirSync(rig.root)
  if (process.getuid?.() !== 0) return []
  chmodSync(rig.directory, 0o711)
  for (const path of [rig.root, rig.configDirectory]) chownSync(path, NOBODY, NOBODY)
  for (const name of readdirSync(rig.configDirectory)) chownSync(join(rig.configDirectory, name), NOBODY, NOBODY)
  rig.acceptSurroundings()
  return ['setpriv', `--reuid=${NOBODY}`, `--regid=${NOBODY}`, '--clear-groups']
}

/** The number that the next file would get. */
function firstFree({ pid }: MirrorProcess): number {
  const open = new Set(readdirSync(`/proc/${pid}/fd`))
  let free = 0
  while (open.has(String(free))) free += 1
  return free
}

async function limitDescriptors({ pid }: MirrorProcess, limit: number): Promise<void> {
  await run('prlimit', ['--pid', String(pid), `--nofile=${limit}:`])
}
