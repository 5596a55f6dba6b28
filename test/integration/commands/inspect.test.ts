import { appendFileSync, chmodSync, readFileSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames } from '../../support/writer.ts'

const command = (rig: MirrorRig, name: string, ...args: string[]) => rig.result(rig.command(name, args))
const documentOf = async (rig: MirrorRig, name: string, ...args: string[]) => {
  const { code, output } = await command(rig, name, '--json', ...args)
  const { mirrors } = JSON.parse(output) as { mirrors: Record<string, unknown>[] }
  return { code, mirror: mirrors[0] ?? {} }
}

describe.each(['3.4', '3.6'] as const)('with etcd %s', (version) => {
  let etcd: EtcdServer
  beforeAll(async () => {
    etcd = await startEtcd({ version })
  })
  afterAll(async () => await etcd[Symbol.asyncDispose]())

  test('diff shows paths and sizes that the next publish would change, never a value', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/diff/' })
    await rig.writer.txn({ 'd/changed': 'secret-old', gone: 'secret-gone', same: 'same', leaf: '1', 'leaf/below': '2' })
    expect((await rig.runOnce()).code).toBe(0)
    const { revision } = rig.tree()
    expect(await command(rig, 'diff')).toEqual({
      code: 0,
      output: expect.stringMatching(
        new RegExp(
          `^mirror app {2}${rig.root}: published revision ${revision}, etcd at \\d+\n {2}nothing would change: 5 keys$`,
        ),
      ),
    })
    const head = await rig.writer.txn({ 'd/changed': 'secret-new!', gone: undefined, new: 'secret-new' })
    chmodSync(join(rig.root, 'current/same'), 0o600)
    const before = rig.tree()
    const { code, output } = await command(rig, 'diff')
    expect(code).toBe(6)
    expect(output.split('\n')).toEqual([
      `mirror app  ${rig.root}: published revision ${revision}, etcd at ${head}`,
      '  ~ d/changed   10 B → 11 B',
      '  - gone        11 B',
      '  + new         10 B',
      '  m same        0600 → 0644',
      '  1 to add, 2 to change, 1 to remove; then 5 keys',
    ])
    expect(rig.tree()).toEqual(before)
  })

  test('diff --show-values prints a unified diff of text, and says what is none', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/values/' })
    await rig.writer.txn({ text: 'one\ntwo\nthree\n', bytes: 'x', gone: 'was here\n' })
    expect((await rig.runOnce()).code).toBe(0)
    await rig.writer.txn({ text: 'one\n2\u001b[31m\nthree\n', bytes: Buffer.from([0, 255]), gone: undefined })
    const { code, output } = await command(rig, 'diff', '--show-values')
    expect(code).toBe(6)
    expect(output).toContain(
      ['    @@ -1,3 +1,3 @@', '     one', '    -two', '    +2\\u001b[31m', '     three'].join('\n'),
    )
    expect(output).toContain('    (not text)')
    expect(output).toContain(['    @@ -1,1 +0,0 @@', '    -was here'].join('\n'))
  })

  test('diff before the first publish shows everything, and a guard that would hold', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/first/', mirror: { limits: { maxKeys: 1 } } })
    await rig.writer.txn({ a: '1', b: '2' })
    const { code, output } = await command(rig, 'diff')
    expect(code).toBe(6)
    expect(output).toContain('nothing published, etcd at')
    expect(output).toContain('2 to add, 0 to change, 0 to remove; then 2 keys')
    expect(output).toContain(
      'held (LimitExceeded): Cannot publish: there are at least 2 keys, more than limits.maxKeys 1',
    )
  })

  test('verify passes beside a running mirror, and names what somebody changed', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/verify/', mirror: { verifyEvery: 0 } })
    await rig.writer.txn({ 'd/a': '1', b: '2', c: '3', d: '4' })
    rig.run()
    await rig.expectSettledCopy()
    const good = await command(rig, 'verify')
    expect(good).toEqual({
      code: 0,
      output: expect.stringMatching(/^ok {7}mirror app: 4 keys as in etcd at revision \d+ /),
    })
    const tree = join(rig.root, 'current')
    appendFileSync(join(tree, 'd/a'), 'x')
    unlinkSync(join(tree, 'b'))
    writeFileSync(join(tree, 'extra'), 'x')
    unlinkSync(join(tree, 'c'))
    symlinkSync('d', join(tree, 'c'))
    const bad = await command(rig, 'verify')
    expect(bad.code).toBe(6)
    for (const line of ['+ b ', '! c ', '~ d/a ', '- extra ']) expect(bad.output).toContain(line)
    expect(bad.output).toContain('error    mirror app: 4 paths differ from etcd at revision')
  })

  test('verify compares with the revision of the copy, not with what etcd holds since', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/since/' })
    const published = await rig.writer.txn({ a: '1', b: '2' })
    expect((await rig.runOnce()).code).toBe(0)
    await rig.writer.txn({ a: 'later', b: undefined, c: 'new' })
    expect(await documentOf(rig, 'verify')).toMatchObject({
      code: 0,
      mirror: { comparedWith: { revision: published, basis: 'Published' }, differences: [] },
    })
    expect((await documentOf(rig, 'diff')).code).toBe(6)
  })

  test('verify compares with the head when the revision is compacted, says so, and leaves out what changed since', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/compacted/' })
    await rig.writer.txn({ a: '1', b: '2', c: '3' })
    expect((await rig.runOnce()).code).toBe(0)
    await rig.writer.txn({ a: 'later', b: undefined })
    await rig.writer.compact()
    const { code, output } = await command(rig, 'verify')
    expect(output).toMatch(
      /^warning {2}mirror app: etcd has compacted revision \d+; compared with revision \d+, where 2 paths/,
    )
    expect(output).toContain('ok       mirror app:')
    expect(code).toBe(0)
    writeFileSync(join(rig.root, 'current/c'), 'other')
    expect(await documentOf(rig, 'verify')).toMatchObject({
      code: 6,
      mirror: {
        comparedWith: { basis: 'HeadAfterCompaction' },
        differences: [{ path: 'c', kind: 'changed' }],
        unjudged: 2,
      },
    })
  })

  test('verify takes a key that the copy never heard of for a lost event where the server may lose them, else for another store', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/lost/' })
    await rig.writer.txn({ a: '1', b: '2' })
    expect((await rig.runOnce()).code).toBe(0)
    // As if the put of b had never come.
    const path = join(rig.root, `.etcd-mirror/trees/${rig.tree().revision}.json`)
    writeFileSync(path, readFileSync(path, 'utf8').replace('"keyCount":2', '"keyCount":1'))
    unlinkSync(join(rig.root, 'current/b'))
    const basis = version === '3.4' ? 'Published' : 'OtherStore'
    expect(await documentOf(rig, 'verify')).toMatchObject({
      code: 6,
      mirror: { comparedWith: { basis }, differences: [{ path: 'b', kind: 'added' }] },
    })
  })

  test('run --dry-run writes nothing, says what it would publish, and ends with 7 when a guard would hold', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/dry/' })
    await rig.writer.txn({ a: '1', b: '2' })
    const dry = rig.command('run', ['--dry-run'])
    expect((await dry.exit).code).toBe(0)
    expect(dry.logs.at(-1)).toMatchObject({
      msg: 'would publish',
      mirror: 'app',
      keys: 2,
      added: 2,
      changed: 0,
      removed: 0,
    })
    expect(() => rig.tree()).toThrow('Nothing is published')
    expect((await rig.runOnce()).code).toBe(0)
    const before = rig.tree()
    await rig.writer.txn({ a: undefined, b: undefined })
    const target = { files: { root: rig.root } }
    await rig.configure({ mirrors: [{ name: 'app', prefix: rig.prefix, target }] })
    const held = await command(rig, 'run', '--dry-run')
    expect(held).toMatchObject({ code: 7, output: expect.stringContaining('EmptyRefused') })
    expect(rig.tree()).toEqual(before)
  })
})

describe('with etcd 3.6', () => {
  let etcd: EtcdServer
  beforeAll(async () => {
    etcd = await startEtcd({ version: '3.6' })
  })
  afterAll(async () => await etcd[Symbol.asyncDispose]())

  test('diff and verify read the layout InPlace, and pass over what is not the copy’s', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/in-place/', files: { layout: 'InPlace' } })
    await rig.writer.txn({ a: '1', 'd/b': '2' })
    expect((await rig.runOnce()).code).toBe(0)
    expect((await command(rig, 'verify')).code).toBe(0)
    writeFileSync(join(rig.root, 'd/b'), 'x')
    expect(await documentOf(rig, 'verify')).toMatchObject({ code: 6, mirror: { differences: [{ path: 'd/b' }] } })
    expect(await documentOf(rig, 'diff')).toMatchObject({ code: 6, mirror: { differences: [{ path: 'd/b' }] } })
  })

  test('diff and verify compare documents, and say when one cannot be made', async () => {
    const files = { render: [{ document: { file: 'app.json', syntax: 'Json' } }] }
    await using rig = await MirrorRig.make(etcd, { prefix: '/document/', files })
    await rig.writer.txn({ port: '80', host: 'a' })
    expect((await rig.runOnce()).code).toBe(0)
    expect(await documentOf(rig, 'verify')).toMatchObject({ code: 0, mirror: { keys: 2 } })
    await rig.writer.put('port', '8080')
    const { code, output } = await command(rig, 'diff', '--show-values')
    expect([code, output]).toEqual([6, expect.stringContaining('~ app.json')])
    expect(output).toMatch(/\n {4}-.*"80"/)
    expect(output).toMatch(/\n {4}\+.*"8080"/)
    writeFileSync(join(rig.root, 'current/app.json'), '{}')
    expect(await documentOf(rig, 'verify')).toMatchObject({ code: 6, mirror: { differences: [{ path: 'app.json' }] } })
    await rig.writer.put('port', 'x')
    const document = { file: 'app.json', syntax: 'Json', values: [{ keys: ['**'], as: 'Number' }] }
    await rig.configure({
      mirrors: [{ name: 'app', prefix: rig.prefix, target: { files: { root: rig.root, render: [{ document }] } } }],
    })
    expect(await command(rig, 'diff')).toMatchObject({
      code: 7,
      output: expect.stringContaining('held (RenderFailed)'),
    })
  })

  test('diff and verify know other names and other modes, and diff says what validate would hold', async () => {
    const files = {
      rewrite: [{ match: '^v1/', replace: '' }],
      modes: [{ files: ['*.key'], mode: '0600' }],
      validate: [
        { files: ['*.json'], syntax: 'Json' },
        { files: ['*.key'], command: ['true'] },
      ],
    }
    await using rig = await MirrorRig.make(etcd, { prefix: '/names/', files })
    await rig.writer.txn({ 'v1/app.json': '{}' })
    expect((await rig.runOnce()).code).toBe(0)
    for (const name of ['diff', 'verify']) expect(await documentOf(rig, name)).toMatchObject({ code: 0 })
    await rig.writer.txn({ 'v1/app.json': '{ "a": hunter2', 'v1/tls.key': 'x' })
    const { code, output } = await command(rig, 'diff')
    expect(code).toBe(6)
    expect(output).toContain('~ app.json')
    expect(output).toContain('held (ValidationFailed): Cannot publish app.json: it is not JSON')
    expect(output).toContain('not run here, and may refuse it: validate[1]')
    expect(output).not.toContain('hunter2')
    expect(await documentOf(rig, 'diff')).toMatchObject({ mirror: { held: { reason: 'ValidationFailed' } } })
    expect(await command(rig, 'run', '--dry-run')).toMatchObject({
      code: 7,
      output: expect.stringContaining('ValidationFailed'),
    })
  })

  test('verify of a copy that is of another store says so', async () => {
    await using first = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(first, { prefix: '/other/' })
    await rig.writer.put('a', '1')
    expect((await rig.runOnce()).code).toBe(0)
    await rig.writeConfig('etcd.conf', { endpoints: [etcd.endpoint] })
    const { code, output } = await command(rig, 'verify')
    expect([code, output]).toEqual([6, expect.stringContaining('this is not the store that the copy was made of')])
  })

  test('verify of a root without a copy ends with 5, one of another mirror too, and --mirror with a typo with 2', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/none/' })
    await rig.writer.put('a', '1')
    expect(await command(rig, 'verify')).toEqual({
      code: 5,
      output: `error    mirror app: nothing is published below ${rig.root}`,
    })
    expect((await rig.runOnce()).code).toBe(0)
    const target = { files: { root: rig.root } }
    await rig.configure({ mirrors: [{ name: 'other', prefix: rig.prefix, target }] })
    expect(await command(rig, 'diff')).toMatchObject({
      code: 5,
      output: expect.stringContaining('belongs to the mirror "app"'),
    })
    expect(await command(rig, 'verify', '--mirror', 'othr')).toMatchObject({
      code: 2,
      output: expect.stringContaining('did you mean "other"?'),
    })
  })

  test('verify of a mirror that publishes all the time finds nothing, or says that it cannot tell', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/busy/', files: { readerGrace: 0 } })
    await rig.writer.fill(Array.from({ length: 200 }, (_, index) => `k${index}`))
    rig.run()
    await rig.settled()
    const stop = new AbortController()
    const writing = (async () => {
      while (!stop.signal.aborted) await rig.writer.put('busy')
    })()
    try {
      const { code, output } = await command(rig, 'verify')
      // 1 and 5: it changed each time it was compared, or went away while it was read.
      expect([0, 1, 5], output).toContain(code)
      if (code === 0) expect(output).toContain('ok       mirror app: 201 keys as in etcd')
      else expect(output).toMatch(/The copy changed each time|the copy changes faster than it can be read/)
    } finally {
      stop.abort()
      await writing
    }
  })

  test('status shows the mirrors of the running process, as a table, as JSON and again and again', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/status/' })
    await rig.writer.txn({ a: '1', b: '2' })
    expect(await command(rig, 'status', '--http-bind', rig.http)).toEqual({
      code: 1,
      output: expect.stringMatching(
        /^etcd-mirror: Cannot read http:\S+: ECONNREFUSED \(Is etcd-mirror running there\?/,
      ),
    })
    rig.run()
    const { publishedRevision } = await rig.settled()
    const table = await eventually(async () => {
      const { code, output } = await command(rig, 'status', '--http-bind', rig.http)
      expect([code, output]).toEqual([0, expect.stringContaining('Following')])
      return output
    })
    expect(table).toMatch(/^MIRROR +STATE +REVISION +LAG +KEYS +LAST PUBLISH +LAST ERROR\n/)
    expect(table).toMatch(new RegExp(`\napp +Following +${publishedRevision} +0 +2 +\\d+[smh] ago +-$`))
    const { output } = await command(rig, 'status', '--http-bind', rig.http, '--json')
    expect(JSON.parse(output)).toMatchObject({
      mirrors: [{ name: 'app', snapshot: null, lastPublishedAt: expect.any(String) }],
    })
    const watching = rig.command('status', ['--http-bind', rig.http, '--watch'])
    await eventually(() => expect(watching.output.match(/^MIRROR/gm)?.length).toBeGreaterThan(1))
    expect(await watching.kill('SIGINT')).toMatchObject({ code: 0 })
  })

  test('status takes the address from mirror.yaml', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/address/' })
    const path = join(rig.configDirectory, 'mirror.yaml')
    await rig.writeConfig('mirror.yaml', { ...JSON.parse(readFileSync(path, 'utf8')), http: { bind: rig.http } })
    rig.command('run', [])
    await eventually(async () => expect((await command(rig, 'status')).code).toBe(0))
  })

  test('a long first sync says in log and status how far it is', async () => {
    await using proxy = await startTcpProxy(etcd.clientPort)
    await using rig = await MirrorRig.make(etcd, { prefix: '/long/', endpoint: proxy.endpoint })
    const value = Buffer.alloc(64 * 1024)
    for (const name of manyNames(300)) await rig.writer.put(name, value)
    proxy.limit(1_000_000)
    const mirror = rig.run()
    await rig.inSnapshot()
    const { snapshot } = await rig.status()
    expect(snapshot?.total).toBe(300)
    expect(snapshot?.read).toBeGreaterThan(0)
    expect(await command(rig, 'status', '--http-bind', rig.http)).toMatchObject({
      output: expect.stringMatching(/\napp +Snapshotting \d+ %/),
    })
    await mirror.waitForLog(({ msg, total }) => msg === 'reading a snapshot' && total === 300)
    proxy.limit(100_000_000)
    await rig.settled()
    expect((await rig.status()).snapshot).toBe(null)
  })
})
