import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { differences } from '../../support/oracle.ts'
import { entriesOf } from '../../support/tree-reader.ts'
import { eventually } from '../../support/wait.ts'

/** Files by path below the root. The mirror's own directory is not looked at. */
function filesOf(root: string): Map<string, Buffer> {
  return new Map(pathsOf(root).map((path) => [path, readFileSync(join(root, path))]))
}

function pathsOf(root: string): string[] {
  // In the mirror's own directory things come and go while it is read.
  const names = readdirSync(root).filter((name) => name !== '.etcd-mirror')
  return names.flatMap((name) => {
    if (!statSync(join(root, name)).isDirectory()) return [name]
    return readdirSync(join(root, name), { recursive: true, withFileTypes: true })
      .filter((entry) => !entry.isDirectory())
      .map((entry) => join(entry.parentPath, entry.name).slice(root.length + 1))
  })
}

function identitiesOf(root: string): Map<string, string> {
  return new Map(
    pathsOf(root).map((path) => {
      const { ino, mtimeNs } = statSync(join(root, path), { bigint: true })
      return [path, `${ino} ${mtimeNs}`]
    }),
  )
}

describe('the layout InPlace, on etcd 3.6', () => {
  let etcd: EtcdServer
  let count = 0
  beforeAll(async () => {
    etcd = await startEtcd({ version: '3.6' })
  })
  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
  })

  const makeRig = () => {
    count += 1
    return MirrorRig.make(etcd, { prefix: `/test-${count}/`, files: { layout: 'InPlace' } })
  }

  async function expectCopy(rig: MirrorRig): Promise<void> {
    const {
      log,
      log: { lastRevision },
    } = rig.writer
    await eventually(async () => {
      const { appliedRevision } = await rig.status()
      expect(appliedRevision).toBeGreaterThanOrEqual(lastRevision)
    })
    expect(differences(entriesOf({ files: filesOf(rig.root) }, rig.prefix), log.state)).toEqual([])
    expect(differences(log.state, await rig.readEtcd(lastRevision))).toEqual([])
  }

  test('follows puts, deletes and keys that are leaf and directory, prunes what is empty, and touches nothing else', async () => {
    await using rig = await makeRig()
    await rig.writer.txn({ a: true, 'dir/b': true, 'dir/c/d': true, same: true })
    rig.run()
    await rig.settled()
    await expectCopy(rig)
    const { same } = Object.fromEntries(identitiesOf(rig.root))
    await rig.writer.txn({ a: true, 'a/b': true, 'dir/c/d': undefined, '.etcd-mirror/owner.json': true })
    await expectCopyButReserved(rig)
    expect(readdirSync(join(rig.root, 'dir'))).toEqual(['b'])
    await rig.writer.txn({ 'a/b': undefined, '.etcd-mirror/owner.json': undefined })
    for (let round = 0; round < 20; round += 1) await rig.writer.put(`many/${round % 7}`)
    await expectCopy(rig)
    expect(readdirSync(rig.root).sort()).toEqual(['.etcd-mirror', 'a', 'dir', 'many', 'same'])
    expect(identitiesOf(rig.root).get('same')).toBe(same)
    expect((await rig.get('/readyz')).status).toBe(200)
  })

  async function expectCopyButReserved(rig: MirrorRig): Promise<void> {
    await eventually(() => {
      const files = filesOf(rig.root)
      const reserved = files.get('%2Eetcd-mirror/owner.json')
      files.delete('%2Eetcd-mirror/owner.json')
      if (reserved) files.set('.etcd-mirror/owner.json', reserved)
      expect(differences(entriesOf({ files }, rig.prefix), rig.writer.log.state)).toEqual([])
    })
  }

  test('goes on after a restart without a snapshot, and prunes what was deleted while it was away', async () => {
    await using rig = await makeRig()
    await rig.writer.txn({ same: true, changes: true, 'goes/away': true })
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    const before = identitiesOf(rig.root)
    await rig.writer.txn({ changes: true, 'goes/away': undefined, 'comes/new': true })
    await using mirror = rig.run()
    await expectCopy(rig)
    expect(readdirSync(rig.root).sort()).toEqual(['.etcd-mirror', 'changes', 'comes', 'same'])
    expect(identitiesOf(rig.root).get('same')).toBe(before.get('same'))
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(0)
    expect(await mirror.kill()).toMatchObject({ code: 0 })

    await rig.writer.txn({ changes: undefined, 'comes/again': true })
    await rig.writer.compact()
    rig.run()
    await expectCopy(rig)
    expect(identitiesOf(rig.root).get('same')).toBe(before.get('same'))
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'compacted' })).toBe(1)
  })

  test('killed between two files, it mends the rest: no equal file is written again, none goes back', async () => {
    await using rig = await makeRig()
    const names = Array.from({ length: 3000 }, (_, index) => `d${index % 30}/k${index}`)
    const write = async (value: string) => {
      for (let at = 0; at < names.length; at += 100) {
        await rig.writer.txn(Object.fromEntries(names.slice(at, at + 100).map((name) => [name, value])))
      }
    }
    await rig.writer.put('same')
    await write('0')
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    const { same } = Object.fromEntries(identitiesOf(rig.root))
    const torn = await killBetweenFiles(rig, names, write)
    const before = identitiesOf(rig.root)
    rig.run()
    while ((await rig.status().catch(() => undefined))?.published !== true) {
      for (const [name, value] of entries(rig.root, names)) {
        expect(Number(value)).toBeGreaterThanOrEqual(Number(torn.get(name)))
      }
    }
    await expectCopy(rig)
    const after = identitiesOf(rig.root)
    const newest = String(Math.max(...[...torn.values()].map(Number)))
    const equal = names.filter((name) => torn.get(name) === newest)
    expect(equal.map((name) => after.get(name))).toEqual(equal.map((name) => before.get(name)))
    expect(after.get('same')).toBe(same)
  })

  test('moves a root from the layout Snapshot and back, and leaves nothing of the other layout', async () => {
    await using rig = await makeRig()
    await rig.writer.txn({ a: true, 'b/c': true })
    const target = (layout: string) => [
      { name: 'app', prefix: rig.prefix, target: { files: { root: rig.root, layout } } },
    ]
    await rig.configure({ mirrors: target('Snapshot') })
    rig.run()
    await rig.settled()
    await rig.expectCopy()
    await rig.configure({ mirrors: target('InPlace') })
    await eventually(() => expect(readdirSync(rig.root).sort()).toEqual(['.etcd-mirror', 'a', 'b']))
    await rig.writer.put('a')
    await expectCopy(rig)
    await rig.configure({ mirrors: target('Snapshot') })
    await eventually(() => expect(readdirSync(rig.root).sort()).toEqual(['.etcd-mirror', '.revisions', 'current']))
    await rig.writer.put('a')
    await rig.settled()
    await rig.expectCopy()
  })
})

describe('a second process on one root, on etcd 3.6', () => {
  test('waits unready and says why, or exits 5; it takes over when the first one is killed', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd)
    await rig.writer.put('a')
    const args = (http: string) => ['--config-dir', rig.configDirectory, '--http-bind', http]
    await using first = rig.command('run', args('127.0.0.1:0').slice(2))
    await first.waitForLog(({ msg }) => msg === 'copy equals etcd')

    const once = await rig.runOnce(['--timeout', '1s'])
    expect(once).toMatchObject({ code: 5, output: expect.stringContaining('another process holds it') })

    rig.run()
    await eventually(async () => {
      const { published, lastError } = await rig.status()
      expect({ published, reason: lastError?.reason }).toEqual({ published: false, reason: 'TargetBusy' })
    })
    expect((await rig.get('/readyz')).status).toBe(503)
    await rig.writer.put('a')
    await eventually(() => rig.expectWritten())

    await first.kill('SIGKILL')
    await eventually(async () => expect((await rig.get('/readyz')).status).toBe(200))
    await rig.writer.put('a')
    await rig.expectSettledCopy()
  })
})

/** Resolves with the values that were visible when a process was killed that had replaced some of them, by name. */
async function killBetweenFiles(
  rig: MirrorRig,
  names: readonly string[],
  write: (value: string) => Promise<void>,
): Promise<Map<string, string>> {
  for (let attempt = 1; attempt < 10; attempt += 1) {
    await write(String(attempt))
    await rig.writer.compact()
    await using mirror = rig.run()
    while (!valuesOf(rig.root, names).has(String(attempt))) await nextTurn()
    await mirror.kill('SIGKILL')
    const values = valuesOf(rig.root, names)
    expect([...values].every((value) => Number(value) >= attempt - 1)).toBe(true)
    if (values.size === 2) return new Map(entries(rig.root, names))
  }
  throw new Error('The process was never killed between two files')
}

function entries(root: string, names: readonly string[]): [string, string][] {
  return names.map((name) => [name, readFileSync(join(root, name), 'utf8')])
}

function valuesOf(root: string, names: readonly string[]): Set<string> {
  return new Set(entries(root, names).map(([, value]) => value))
}
