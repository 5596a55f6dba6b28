import { appendFileSync, chmodSync, mkdirSync, renameSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { startEtcd } from '../../support/etcd-server.ts'
import type { MirrorProcess } from '../../support/mirror-process.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { fileIdentities } from '../../support/tree-reader.ts'
import { TreeWatcher } from '../../support/tree-watcher.ts'
import { eventually } from '../../support/wait.ts'

const OFTEN = { mirror: { verifyEvery: '300ms' } }

interface Drifted {
  readonly name: string
  readonly tamper: (tree: string) => void
  readonly examples: readonly { readonly path: string; readonly kind: string }[]
}

const DRIFT: readonly Drifted[] = [
  {
    name: 'edited',
    tamper: (tree) => appendFileSync(join(tree, 'd/a'), 'x'),
    examples: [{ path: 'd/a', kind: 'changed' }],
  },
  {
    name: 'deleted',
    tamper: (tree) => unlinkSync(join(tree, 'd/a')),
    examples: [{ path: 'd/a', kind: 'missing' }],
  },
  {
    name: 'added',
    tamper: (tree) => writeFileSync(join(tree, 'd/new'), 'x'),
    examples: [{ path: 'd/new', kind: 'added' }],
  },
  {
    name: 'chmod-ed',
    tamper: (tree) => chmodSync(join(tree, 'd/a'), 0o666),
    examples: [{ path: 'd/a', kind: 'mode' }],
  },
  {
    name: 'replaced by a symbolic link',
    tamper: (tree) => {
      const link = join(tree, '../../link')
      symlinkSync('b', link)
      renameSync(link, join(tree, 'd/a'))
    },
    examples: [{ path: 'd/a', kind: 'type' }],
  },
  {
    name: 'given an empty directory as a neighbour',
    tamper: (tree) => mkdirSync(join(tree, 'd/e')),
    examples: [{ path: 'd/e', kind: 'added' }],
  },
]

describe.each(['3.4', '3.6'] as const)('a file of the copy, with etcd %s,', (version) => {
  test.each(DRIFT)('$name, is found within verifyEvery, named, counted and repaired', async (drift) => {
    await using etcd = await startEtcd({ version })
    await using rig = await MirrorRig.make(etcd, OFTEN)
    await rig.writer.txn({ 'd/a': '1', 'd/b': '2', c: '3' })
    const mirror = rig.run()
    await rig.expectSettledCopy()
    await expectRepair(rig, mirror, drift)
    expect(await rig.metric('etcd_mirror_drift_detected_total')).toBe(1)
  })
})

describe('SIGHUP with verifyEvery: 0', () => {
  test.each(DRIFT)('a file of the copy, $name, is found at once, named, counted and repaired', async (drift) => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, { mirror: { verifyEvery: 0 } })
    await rig.writer.txn({ 'd/a': '1', 'd/b': '2', c: '3' })
    const mirror = rig.run()
    await rig.expectSettledCopy()
    await expectRepair(rig, mirror, drift, () => mirror.signal('SIGHUP'))
    expect(await rig.metric('etcd_mirror_drift_detected_total')).toBe(1)
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'verify' })).toBe(0)
  })

  test('is no drift where nothing was changed, or etcd changed it', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, { mirror: { verifyEvery: 0 } })
    await rig.writer.txn({ 'd/a': '1', 'd/b': '2', c: '3' })
    const mirror = rig.run()
    await rig.expectSettledCopy()
    for (let round = 1; round <= 5; round++) {
      mirror.signal('SIGHUP')
      await rig.writer.txn({ 'd/a': true, 'd/b': round % 2 === 0 ? 'back' : undefined, [`new${round}`]: true })
      await eventually(async () => {
        expect(await rig.metric('etcd_mirror_resync_total', { reason: 'request' })).toBe(round)
      })
      await rig.expectSettledCopy()
    }
    expect(await rig.metric('etcd_mirror_drift_detected_total')).toBe(0)
  })
})

describe('verification on etcd 3.6', () => {
  test('of a quiet mirror asks etcd for nothing, and writes nothing', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, OFTEN)
    await rig.writer.txn({ 'd/a': '1', 'd/b': '2', c: '3' })
    rig.run()
    await rig.expectSettledCopy()
    await verifiedAgain(rig)
    const before = { requests: await requests(rig), files: fileIdentities(rig.root), tree: rig.tree().revision }
    for (let round = 0; round < 3; round++) await verifiedAgain(rig)
    expect({ requests: await requests(rig), files: fileIdentities(rig.root), tree: rig.tree().revision }).toEqual(
      before,
    )
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'verify' })).toBe(0)
    expect(await rig.metric('etcd_mirror_drift_detected_total')).toBe(0)
  })

  test('finds what was changed while the process was down', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, OFTEN)
    await rig.writer.txn({ 'd/a': '1', 'd/b': '2', c: '3' })
    const first = rig.run()
    await rig.expectSettledCopy()
    await first.kill()
    appendFileSync(join(rig.root, 'current/c'), 'x')
    const second = rig.run()
    await second.waitForLog(({ msg }) => msg === 'drift repaired')
    await rig.expectCopy()
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'start' })).toBe(0)
  })

  test('names what differs though the applied revision was compacted, when the prefix did not change', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, OFTEN)
    await rig.writer.txn({ 'd/a': '1', 'd/b': '2', c: '3' })
    const mirror = rig.run()
    await rig.expectSettledCopy()
    // A watch that is only being opened would need the history.
    await mirror.waitForLog(({ msg }) => msg === 'watch open')
    for (const value of ['1', '2', '3']) await etcd.etcdctl(['put', '/elsewhere', value])
    await rig.writer.compact((await rig.status()).appliedRevision + 2)
    await expectRepair(rig, mirror, {
      tamper: (tree) => {
        writeFileSync(join(tree, 'd/new'), 'x')
        renameSync(join(tree, 'c'), join(tree, 'd/b'))
      },
      examples: [
        { path: 'c', kind: 'missing' },
        { path: 'd/b', kind: 'changed' },
        { path: 'd/new', kind: 'added' },
      ],
    })
  })

  test('names of a compacted and changed prefix what etcd did not change, and repairs all', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await MirrorRig.make(etcd, { ...OFTEN, endpoint: proxy.endpoint })
    await rig.writer.txn({ 'd/a': '1', 'd/b': '2', c: '3', gone: '4' })
    const mirror = rig.run()
    await rig.expectSettledCopy()
    proxy.refuse()
    proxy.cut()
    await rig.writer.txn({ 'd/a': 'changed by etcd', gone: undefined })
    await rig.writer.put('d/a')
    await rig.writer.compact()
    const tree = join(rig.root, 'current')
    writeFileSync(join(tree, 'd/new'), 'x')
    appendFileSync(join(tree, 'c'), 'x')
    await mirror.waitForLog(({ msg }) => String(msg).startsWith('the copy is not what was published'))
    await proxy.accept()
    const { count, examples } = await mirror.waitForLog(({ msg }) => msg === 'drift repaired')
    expect({ count, examples }).toEqual({ count: 1, examples: [{ path: 'c', kind: 'changed' }] })
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_drift_detected_total')).toBe(1)
  })

  test('goes on beside publishes and finds nothing', async () => {
    await using etcd = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(etcd, { mirror: { verifyEvery: '100ms' }, files: { readerGrace: '50ms' } })
    await rig.writer.fill(Array.from({ length: 2000 }, (_, index) => `d${index % 20}/${index}`))
    rig.run()
    await rig.expectSettledCopy()
    await using watcher = new TreeWatcher(rig.root)
    const since = (await rig.status()).lastVerifiedAt
    let rounds = 0
    await eventually(
      async () => {
        rounds += 1
        for (let count = 0; count < 10; count++) {
          const name = `d${rounds % 20}/${(rounds * 10 + count) % 2000}`
          await rig.writer.txn({ [name]: count % 3 === 0 ? undefined : true, [`n/${count}`]: true })
        }
        expect(rounds).toBeGreaterThan(30)
        expect((await rig.status()).lastVerifiedAt).not.toBe(since)
      },
      { timeoutMs: 60_000, intervalMs: 1 },
    )
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_drift_detected_total')).toBe(0)
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })
})

/** Changes the visible copy, and sees it found, named and repaired; files that were not changed stay the same files. */
async function expectRepair(
  rig: MirrorRig,
  mirror: MirrorProcess,
  { tamper, examples }: Omit<Drifted, 'name'>,
  notice?: () => void,
): Promise<void> {
  // A verification that runs meanwhile would find the first of several changes alone: the next is some 300 ms away.
  if (notice === undefined) await verifiedAgain(rig)
  const before = fileIdentities(rig.root)
  tamper(join(rig.root, 'current'))
  notice?.()
  const repaired = await mirror.waitForLog(({ msg }) => msg === 'drift repaired')
  expect(repaired).toMatchObject({ level: expect.anything(), mirror: 'app', count: examples.length })
  expect(sorted(repaired.examples)).toEqual(examples)
  await rig.expectCopy()
  const touched = examples.map(({ path }) => path)
  for (const [path, identity] of fileIdentities(rig.root)) {
    if (!touched.includes(path)) expect(identity, path).toEqual(before.get(path))
  }
  const noticed = mirror.logs.find(({ msg }) => /^the copy (is not what|differs from)/.test(String(msg)))
  expect(noticed).toBeDefined()
}

function sorted(examples: unknown): readonly Drifted['examples'][number][] {
  const list = examples as Drifted['examples']
  return [...list].sort((left, right) => (left.path < right.path ? -1 : 1))
}

/** Resolves once one more verification has found everything sound. */
async function verifiedAgain(rig: MirrorRig): Promise<void> {
  const { lastVerifiedAt } = await rig.status()
  await eventually(async () => expect((await rig.status()).lastVerifiedAt).not.toBe(lastVerifiedAt))
}

async function requests(rig: MirrorRig): Promise<number> {
  return await rig.metric('etcd_mirror_etcd_requests_total')
}
