import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig, type MirrorRigOptions } from '../../support/mirror-rig.ts'
import { differences } from '../../support/oracle.ts'
import { entriesOf, fileIdentities } from '../../support/tree-reader.ts'
import { TreeWatcher } from '../../support/tree-watcher.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'

const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte))

describe.each(['3.4', '3.6'] as const)('run mirrors from etcd %s', (version) => {
  let etcd: EtcdServer
  let count = 0
  beforeAll(async () => {
    etcd = await startEtcd({ version })
  })
  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
  })
  // A prefix of its own for every test: the next ones write to the same store, which no mirror must notice.
  const makeRig = (options: MirrorRigOptions = {}) => {
    count += 1
    return MirrorRig.make(etcd, { prefix: `/test-${count}/`, ...options })
  }

  test('an empty prefix as an empty tree, follows its first key and the delete of its last', async () => {
    await using rig = await makeRig()
    rig.run()
    await rig.settled()
    expect(rig.tree().files.size).toBe(0)
    await rig.writer.put('first')
    expect((await rig.expectSettledCopy()).files.size).toBe(1)
    await rig.writer.delete('first')
    expect((await rig.expectSettledCopy()).files.size).toBe(0)
    expect((await rig.get('/readyz')).status).toBe(200)
  })

  test('10,000 keys in pages, and follows changes among them without rewriting the others', async () => {
    await using rig = await makeRig()
    await rig.writer.fill(manyNames(10_000))
    rig.run()
    expect((await rig.expectSettledCopy()).files.size).toBe(10_000)
    expect(await rig.metric('etcd_mirror_etcd_requests_total', { method: 'range', result: 'ok' })).toBeGreaterThan(4)
    const before = fileIdentities(rig.root)
    await rig.writer.txn({ '0042/004242': true, '0043/004343': undefined, 'new/key': true })
    expect((await rig.expectSettledCopy()).files.size).toBe(10_000)
    const after = fileIdentities(rig.root)
    const rewritten = [...after].filter(([path, { inode }]) => before.get(path)?.inode !== inode).map(([path]) => path)
    expect(rewritten).toEqual(['0042/004242', 'new/key'])
  })

  test('keys and values of any bytes, under the paths that the documentation names', async () => {
    await using rig = await makeRig()
    const keys: [Buffer, string][] = [
      [Buffer.from(''), '%empty'],
      [Buffer.from('plain'), 'plain'],
      [Buffer.from('sp ace/ü\\'), 'sp ace/ü\\'],
      [Buffer.from([0xff, 0xfe]), '%FF%FE'],
      [Buffer.from([0xc3, 0xa9, 0xc3]), 'é%C3'],
      [Buffer.from('a\0b'), 'a%00b'],
      [Buffer.from('new\nline\x7f'), 'new%0Aline%7F'],
      [Buffer.from('100%'), '100%25'],
      [Buffer.from('%41'), '%2541'],
      [Buffer.from('./x'), '%2E/x'],
      [Buffer.from('../../x'), '%2E%2E/%2E%2E/x'],
      [Buffer.from('x//y'), 'x/%empty/y'],
      [Buffer.from('dir/'), 'dir/%empty'],
      [Buffer.from('%leaf'), '%25leaf'],
      [Buffer.from('k'.repeat(300)), `${'k'.repeat(253)}%~/${'k'.repeat(47)}`],
    ]
    const expected = new Map<string, Buffer>()
    const put = async (index: number, generation: number) => {
      const [key, path] = keys[index] ?? [Buffer.alloc(0), '']
      const value = Buffer.concat([ALL_BYTES, Buffer.from([index, generation])])
      await rig.writer.put(key, value)
      expected.set(path, value)
    }
    for (const index of keys.keys()) await put(index, 1)
    rig.run()
    await rig.settled()
    expect(differences(rig.tree().files, expected)).toEqual([])
    for (const index of keys.keys()) await put(index, 2)
    await rig.settled()
    expect(differences(rig.tree().files, expected)).toEqual([])
    for (const [key, path] of keys.slice(3)) {
      await rig.writer.delete(key)
      expected.delete(path)
    }
    await rig.settled()
    expect(differences(rig.tree().files, expected)).toEqual([])
    expect(rig.tree().emptyDirectories).toEqual([])
    expect((await rig.status()).keyErrors.count).toBe(0)
  })

  test('empty values as empty files', async () => {
    await using rig = await makeRig()
    await rig.writer.txn({ empty: '', full: 'x' })
    rig.run()
    expect((await rig.expectSettledCopy()).files.get('empty')).toEqual(Buffer.alloc(0))
    await rig.writer.txn({ empty: 'x', full: '' })
    expect((await rig.expectSettledCopy()).files.get('full')).toEqual(Buffer.alloc(0))
  })

  test('keys that are leaf and directory at once, in whatever order they come and go', async () => {
    await using rig = await makeRig()
    await rig.writer.txn({ early: true, 'early/below': true })
    const mirror = rig.run()
    await rig.settled()
    await using watcher = new TreeWatcher(rig.root)
    expect([...(await rig.expectSettledCopy()).files.keys()].sort()).toEqual(['early/%leaf', 'early/below'])
    for (const change of [
      { a: true },
      { 'a/b': true },
      { 'a/b/c': true, early: undefined },
      { a: undefined },
      { a: true, 'a/b': undefined },
      { 'a/b/c': undefined, 'early/below': undefined },
    ] as const) {
      await rig.writer.txn(change)
      await rig.expectSettledCopy()
    }
    expect([...rig.tree().files.keys()]).toEqual(['a'])
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
    expect(await mirror.kill()).toEqual({ code: 0, signal: null })
  })

  test('values of 1 MiB, also many in one revision', async () => {
    await using rig = await makeRig()
    const large = (seed: number) => Buffer.alloc(1 << 20, `${seed} `)
    const names = manyNames(20)
    const write = (seed: number) => rig.writer.txn(Object.fromEntries(names.map((name, i) => [name, large(seed + i)])))
    await write(100)
    rig.run()
    await rig.expectSettledCopy()
    await using watcher = new TreeWatcher(rig.root)
    await write(200)
    await rig.writer.put('small')
    await write(300)
    await rig.expectSettledCopy()
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
  })

  test('a transaction of 100 keys never seen half by a reader that loops over current', async () => {
    await using rig = await makeRig({ files: { readerGrace: '200ms' } })
    const names = manyNames(100)
    const write = () => rig.writer.txn(Object.fromEntries(names.map((name) => [name, true])))
    await write()
    rig.run()
    await rig.settled()
    await using watcher = new TreeWatcher(rig.root)
    for (let round = 0; round < 100; round++) {
      await write()
      // The reader shares this thread with the writer.
      await eventually(() => expect(watcher.seen.length).toBeGreaterThan(round / 5))
    }
    await rig.expectSettledCopy()
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
    expect(watcher.seen.length).toBeGreaterThan(15)
  })

  test('deletes and prefix deletes, with the directories they leave empty', async () => {
    await using rig = await makeRig()
    await rig.writer.fill(manyNames(500))
    rig.run()
    await rig.settled()
    await using watcher = new TreeWatcher(rig.root)
    await rig.writer.deletePrefix('0001/')
    await rig.writer.delete('0000/000050')
    await rig.writer.delete('no such key')
    await rig.writer.deletePrefix('0002/0002')
    expect((await rig.expectSettledCopy()).files.size).toBe(299)
    await rig.writer.deletePrefix('000')
    await rig.writer.put('last')
    expect([...(await rig.expectSettledCopy()).files.keys()]).toEqual(['last'])
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('leased keys until their lease expires', async () => {
    await using rig = await makeRig()
    const lease = await rig.writer.grantLease(1)
    await rig.writer.put('stays')
    await rig.writer.put('leased', 'short', lease)
    await rig.writer.put('dir/leased', 'short', lease)
    rig.run()
    await rig.settled()
    expect(rig.tree().files.get('leased')).toEqual(Buffer.from('short'))
    const tree = await eventually(() => {
      const now = rig.tree()
      expect([...now.files.keys()]).toEqual(['stays'])
      return now
    })
    expect(tree.emptyDirectories).toEqual([])
    expect(differences(entriesOf(tree, rig.prefix), await rig.readEtcd(tree.revision))).toEqual([])
    const before = rig.writer.log.stateAt(tree.revision - 1)
    expect(differences(await rig.readEtcd(tree.revision - 1), before)).toEqual([])
  })

  test('many mirrors in one process, and one whose root is somebody else’s stops none of them', async () => {
    await using rig = await makeRig()
    const names = ['a', 'b', 'c', 'd', 'e']
    const foreign = join(rig.root, 'foreign')
    await mkdir(foreign, { recursive: true })
    await writeFile(join(foreign, 'precious'), 'not yours')
    const mirrors = [...names, 'foreign'].map((name) => ({
      name,
      prefix: `${rig.prefix}${name === 'foreign' ? 'a' : name}/`,
      target: { files: { root: join(rig.root, name) } },
    }))
    await rig.configure({ mirrors })
    for (const name of names) await rig.writer.put(`${name}/key`, `first of ${name}`)
    rig.run()
    const expectCopies = (generation: string) =>
      eventually(async () => {
        for (const name of names) {
          const path = join(rig.root, name, 'current/key')
          expect(await readFile(path, 'utf8')).toBe(`${generation} of ${name}`)
        }
      })
    await expectCopies('first')
    for (const name of names) await rig.writer.put(`${name}/key`, `second of ${name}`)
    await expectCopies('second')
    const { lastError, published } = await rig.status('foreign')
    expect({ reason: lastError?.reason, published }).toEqual({ reason: 'TargetForeign', published: false })
    expect((await rig.status('a')).lastError).toBeNull()
    expect(await rig.get('/readyz')).toMatchObject({ status: 503 })
    expect(await readFile(join(foreign, 'precious'), 'utf8')).toBe('not yours')
  })
})
