import { spawnSync } from 'node:child_process'
import { mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { spawnTracked } from '../../support/child-process.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { freePort } from '../../support/free-port.ts'
import { MirrorProcess } from '../../support/mirror-process.ts'
import { MirrorRig, type MirrorRigOptions } from '../../support/mirror-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { currentName, fileIdentities, readTree } from '../../support/tree-reader.ts'
import { TreeWatcher } from '../../support/tree-watcher.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'

const COMMAND = join(import.meta.dirname, '../../../dist/bin/etcd-mirror.js')

/** How a process becomes PID 1 here: as root, else in a user namespace of its own; undefined = the machine forbids both. */
const unshare = [[], ['--user', '--map-root-user']]
  .map((how) => [...how, '--pid', '--fork', '--mount-proc', '--kill-child'])
  .find((flags) => spawnSync('unshare', [...flags, 'true']).status === 0)

describe.each(['3.4', '3.6'] as const)('the process, on etcd %s', (version) => {
  let etcd: EtcdServer
  let count = 0
  beforeAll(async () => {
    etcd = await startEtcd({ version })
  })
  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
  })
  const makeRig = (options: MirrorRigOptions = {}) => {
    count += 1
    return MirrorRig.make(etcd, { prefix: `/test-${count}/`, ...options })
  }

  describe('--one-time', () => {
    test('exits 0 with a complete copy, and again without rewriting it', async () => {
      await using rig = await makeRig()
      await rig.writer.fill(manyNames(300))
      expect(await rig.runOnce(['--timeout', '20s'])).toMatchObject({ code: 0 })
      const { name } = await rig.expectCopy()
      const before = fileIdentities(rig.root)
      expect(await rig.runOnce()).toMatchObject({ code: 0 })
      expect(currentName(rig.root)).toBe(name)
      expect(fileIdentities(rig.root)).toEqual(before)
    })

    test('exits 3 when etcd cannot be reached in time', async () => {
      await using rig = await makeRig({ endpoint: `http://127.0.0.1:${await freePort()}` })
      const { code, output } = await rig.runOnce(['--timeout', '700ms'])
      expect({ code, output }).toEqual({ code: 3, output: expect.stringContaining('ECONNREFUSED') })
      expect(currentName(rig.root)).toBeUndefined()
    })

    test('exits 3 when etcd accepts and never answers', async () => {
      await using proxy = await startTcpProxy(etcd.clientPort)
      proxy.freeze()
      await using rig = await makeRig({ endpoint: proxy.endpoint, conf: { 'operation-timeout': '500ms' } })
      expect(await rig.runOnce(['--timeout', '1500ms'])).toMatchObject({ code: 3 })
      expect(currentName(rig.root)).toBeUndefined()
    })

    // Code 4 is in auth.test.ts and tls.test.ts.
    test('exits 5 when the root cannot be had in time', async () => {
      await using rig = await makeRig()
      await mkdir(rig.root)
      await writeFile(join(rig.root, 'precious'), 'not yours')
      const { code, output } = await rig.runOnce(['--timeout', '500ms'])
      expect({ code, output }).toEqual({ code: 5, output: expect.stringContaining('not empty') })
      expect(await readFile(join(rig.root, 'precious'), 'utf8')).toBe('not yours')
    })
  })

  test('a restart resumes without a list and without touching what is equal', async () => {
    await using rig = await makeRig()
    await rig.writer.fill(manyNames(500))
    const first = rig.run()
    await rig.expectSettledCopy()
    await rig.writer.put('0000/000000')
    await rig.expectSettledCopy()
    expect(await first.kill()).toEqual({ code: 0, signal: null })
    const before = fileIdentities(rig.root)
    await rig.writer.txn({ '0001/000100': true, '0002/000200': undefined, added: true })
    await using watcher = new TreeWatcher(rig.root)
    rig.run()
    await rig.expectSettledCopy()
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(0)
    expect(await rig.metric('etcd_mirror_events_total')).toBe(3)
    const after = fileIdentities(rig.root)
    for (const [path, identity] of after) {
      if (path !== 'added' && path !== '0001/000100') expect(before.get(path), path).toEqual(identity)
    }
    expect(await watcher.faults(rig.writer.log, rig.prefix)).toEqual([])
  })

  test('probes: up before etcd is asked, not ready before the first copy, ready on it while etcd is away', async () => {
    await using proxy = await startTcpProxy(etcd.clientPort)
    proxy.refuse()
    await using rig = await makeRig({ endpoint: proxy.endpoint })
    await rig.writer.put('key')
    const expectProbes = (probes: Record<string, number>) =>
      eventually(async () => {
        const found = Object.keys(probes).map(async (path) => [path, (await rig.get(`/${path}`)).status] as const)
        expect(Object.fromEntries(await Promise.all(found))).toEqual(probes)
      })
    rig.run()
    await expectProbes({ livez: 200, readyz: 503, startupz: 503, liveness: 500, readiness: 500 })
    // The bundle knows only the types that it needs.
    expect((await rig.get('/livez')).type).toBe('text/plain; charset=utf-8')
    expect((await rig.get('/status')).type).toBe('application/json; charset=utf-8')
    expect((await rig.get('/status', { accept: 'text/html' })).type).toBe('text/html; charset=utf-8')
    await proxy.accept()
    await rig.expectSettledCopy()
    await expectProbes({ livez: 200, readyz: 200, startupz: 200, liveness: 200, readiness: 200 })
    proxy.refuse()
    proxy.cut()
    await expectProbes({ livez: 200, readyz: 200, startupz: 200, liveness: 500, readiness: 500 })
    expect(await rig.metric('etcd_mirror_source_connected')).toBe(0)
    await rig.expectCopy()
    await rig.writer.put('key')
    await proxy.accept()
    await rig.expectSettledCopy()
    await expectProbes({ livez: 200, readyz: 200, startupz: 200, liveness: 200, readiness: 200 })
  })

  test('SIGHUP takes a snapshot, repairs what somebody broke, and rewrites nothing that is equal', async () => {
    await using rig = await makeRig()
    await rig.writer.fill(manyNames(200))
    const mirror = rig.run()
    await rig.expectSettledCopy()
    const before = fileIdentities(rig.root)
    const { name } = rig.tree()
    mirror.signal('SIGHUP')
    await eventually(async () => expect(await rig.metric('etcd_mirror_sync_total', { result: 'noop' })).toBe(1))
    expect(await rig.metric('etcd_mirror_resync_total', { reason: 'request' })).toBe(1)
    expect(currentName(rig.root)).toBe(name)
    expect(fileIdentities(rig.root)).toEqual(before)
    await writeFile(join(rig.root, 'current/0001/000123'), 'vandalised')
    mirror.signal('SIGHUP')
    await eventually(() => expect(currentName(rig.root)).not.toBe(name))
    await rig.expectCopy()
    const after = fileIdentities(rig.root)
    const rewritten = [...after].filter(([path, { inode }]) => before.get(path)?.inode !== inode).map(([path]) => path)
    expect(rewritten).toEqual(['0001/000123'])
  })

  test('SIGTERM in the middle of a first snapshot exits 0 with nothing visible, and the next start is fine', async () => {
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await makeRig({ endpoint: proxy.endpoint })
    await rig.writer.fill(manyNames(20_000))
    proxy.limit(200_000)
    const mirror = rig.run()
    await rig.inSnapshot()
    expect(await mirror.kill('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(readTree(rig.root)).toBeUndefined()
    proxy.limit(Number.POSITIVE_INFINITY)
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    expect((await rig.expectCopy()).files.size).toBe(20_000)
  })

  test('SIGTERM in the middle of a later snapshot exits 0 and leaves the copy before, whole', async () => {
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await makeRig({ endpoint: proxy.endpoint })
    await rig.writer.fill(manyNames(5000))
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    const { name } = rig.tree()
    const before = fileIdentities(rig.root)
    await rig.writer.fill(manyNames(5000, 2500))
    await rig.writer.compact()
    proxy.limit(200_000)
    const mirror = rig.run()
    await rig.inSnapshot()
    expect(await mirror.kill('SIGTERM')).toEqual({ code: 0, signal: null })
    expect(currentName(rig.root)).toBe(name)
    expect(fileIdentities(rig.root)).toEqual(before)
    proxy.limit(Number.POSITIVE_INFINITY)
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    await rig.expectCopy()
    const after = fileIdentities(rig.root)
    for (const path of manyNames(2500)) expect(after.get(path), path).toEqual(before.get(path))
  })

  test.runIf(unshare)('works as PID 1: SIGTERM ends it with 0', async () => {
    await using rig = await makeRig()
    await rig.writer.put('key')
    const args = [...(unshare ?? []), process.execPath, COMMAND, 'run', '--config-dir', rig.configDirectory]
    await using mirror = new MirrorProcess(
      spawnTracked('unshare', [...args, '--http-bind', rig.http], {
        env: { PATH: process.env.PATH },
        stdio: ['ignore', 'pipe', 'pipe'],
      }),
    )
    await eventually(async () => expect((await rig.get('/readyz')).status).toBe(200))
    await rig.writer.put('key')
    await rig.expectSettledCopy()
    const children = await readFile(`/proc/${mirror.pid}/task/${mirror.pid}/children`, 'utf8')
    expect(await readFile(`/proc/${children.trim()}/status`, 'utf8')).toMatch(/^NSpid:\t.*\t1$/m)
    process.kill(Number(children), 'SIGTERM')
    expect(await mirror.exit).toEqual({ code: 0, signal: null })
    expect(mirror.output).toContain('stopped')
  })
})
