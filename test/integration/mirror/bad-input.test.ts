import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdir, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { currentName } from '../../support/tree-reader.ts'
import { eventually } from '../../support/wait.ts'

describe('run with bad input writes nothing', () => {
  let etcd: EtcdServer
  beforeAll(async () => {
    etcd = await startEtcd({ version: '3.6' })
  })
  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
  })

  type Mirror = Record<string, unknown>
  interface Wrong {
    readonly conf?: Mirror
    /** More fields of the mirror. */
    readonly mirror?: Mirror
    /** Root of a second mirror, by that of the first. */
    readonly second?: (root: string) => string
    readonly args?: readonly string[]
  }
  const wrong: readonly [string, Wrong, RegExp][] = [
    [
      'an unknown flag',
      { args: ['--one-tme'] },
      /^etcd-mirror: unknown option '--one-tme' \(Did you mean --one-time\?\)$/,
    ],
    [
      'an unknown key',
      { mirror: { prefx: '/a/' } },
      /^\S+mirror\.yaml:1:\d+: mirrors\[0\]\.prefx: unknown key, did you mean "prefix"\?$/,
    ],
    ['a wrong type', { mirror: { name: 7 } }, /^\S+mirror\.yaml:1:\d+: mirrors\[0\]\.name: must be text/],
    [
      'the duration 5x',
      { conf: { 'dial-timeout': '5x' } },
      /^\S+etcd\.conf:1:\d+: dial-timeout: "5x" is not a duration/,
    ],
    [
      'the period 5x',
      { args: ['--one-time', '--timeout', '5x'] },
      /^etcd-mirror: option '--timeout <duration>' argument '5x'/,
    ],
    [
      'a certificate that is missing',
      { conf: { endpoints: ['https://127.0.0.1:1'], 'ca-file': '/no/such/ca.pem' } },
      /^\S+etcd\.conf:1:\d+: ca-file: \/no\/such\/ca\.pem does not exist$/,
    ],
    ['two mirrors with one root', { second: (root) => root }, /is also the root of mirror "app"/],
    ['a root inside another mirror’s', { second: (root) => `${root}/below` }, /lies inside the root of mirror "app"/],
  ]
  test.each(wrong)(
    '%s: exit code 2 and one line that says where',
    async (_name, { conf, mirror, second, args }, line) => {
      await using rig = await MirrorRig.make(etcd, { ...(conf && { conf }), ...(mirror && { mirror }) })
      if (second) {
        const make = (name: string, root: string) => ({ name, prefix: '/app/', target: { files: { root } } })
        await rig.configure({ mirrors: [make('app', rig.root), make('second', second(rig.root))] })
      }
      const results = [await rig.result(rig.run(args)), ...(args ? [] : [await rig.check()])]
      for (const { code, output } of results) {
        expect(output).toMatch(line)
        expect({ code, lines: output.split('\n').length }).toEqual({ code: 2, lines: 1 })
      }
      expect(existsSync(rig.root)).toBe(false)
    },
  )

  test('a port in use: exit code 2, one line, and the mirror does not begin', async () => {
    await using rig = await MirrorRig.make(etcd)
    const server = createServer()
    await once(server.listen(Number(rig.http.split(':')[1]), '127.0.0.1'), 'listening')
    try {
      const { code, output } = await rig.result(rig.run())
      expect(code).toBe(2)
      expect(output).toContain(`Cannot bind HTTP to ${rig.http}: address already in use`)
      expect(existsSync(rig.root)).toBe(false)
    } finally {
      await once(server.close(), 'close')
    }
  })

  const roots: readonly [string, (root: string) => Promise<unknown>, RegExp][] = [
    ['a file', (root) => writeFile(root, 'precious'), /Cannot take over \S+: it is not a directory/],
    ['a symbolic link', (root) => symlink('../neighbour', root), /Cannot take over \S+: it is a symbolic link/],
    [
      'full of someone’s files',
      async (root) => {
        await mkdir(root)
        await writeFile(join(root, 'precious'), 'precious')
      },
      /Cannot take over \S+: it is not empty and no mirror made it/,
    ],
  ]
  test.each(roots)(
    'a root that is %s: --one-time exits 5, a running mirror says why and begins once it is gone',
    async (kind, make, state) => {
      await using rig = await MirrorRig.make(etcd)
      await rig.writer.put('key')
      await make(rig.root)
      const { code, output } = await rig.runOnce(['--timeout', '500ms'])
      expect(code).toBe(5)
      expect(output).toMatch(state)
      rig.run()
      await eventually(async () => expect((await rig.status()).lastError?.message).toMatch(state))
      expect((await rig.status()).lastError?.reason).toBe('TargetForeign')
      expect((await rig.get('/readyz')).status).toBe(503)
      expect(await readdir(join(rig.directory, 'neighbour'))).toEqual(['file'])
      if (kind === 'a file') expect(await readFile(rig.root, 'utf8')).toBe('precious')
      else expect(currentName(rig.root)).toBeUndefined()
      if (kind.startsWith('full')) expect(await readdir(rig.root)).toEqual(['precious'])
      await rm(rig.root, { recursive: true })
      await rig.expectSettledCopy()
      expect((await rig.status()).lastError).toBeNull()
    },
  )

  test('a root of another mirror is refused', async () => {
    await using rig = await MirrorRig.make(etcd)
    await rig.writer.put('key')
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    const target = { files: { root: rig.root } }
    await rig.configure({ mirrors: [{ name: 'other', prefix: '/other/', target }] })
    const { code, output } = await rig.runOnce(['--timeout', '500ms'])
    expect(code).toBe(5)
    expect(output).toContain('it belongs to the mirror')
    await rig.expectCopy()
  })
})
