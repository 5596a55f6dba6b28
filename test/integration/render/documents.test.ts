import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'

const render = [
  { tree: {} },
  { document: { file: 'app.json', syntax: 'Json', keys: ['app/**'], values: [{ keys: ['app/port'], as: 'Number' }] } },
  { document: { file: 'all.yaml', syntax: 'Yaml', structure: 'Flat' } },
]

describe('documents', () => {
  let etcd: EtcdServer
  beforeAll(async () => {
    etcd = await startEtcd({ version: '3.6' })
  })
  afterAll(() => etcd?.[Symbol.asyncDispose]())

  const published = (rig: MirrorRig, path: string) => readFileSync(join(rig.root, 'current', path), 'utf8')

  test('follow etcd, are held by a key that does not fit, and go on with the next change', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/documents/', files: { render } })
    await rig.writer.txn({ 'app/port': '80', 'app/host': 'a' })
    const mirror = rig.run()
    await rig.settled()
    expect(JSON.parse(published(rig, 'app.json'))).toEqual({ app: { host: 'a', port: 80 } })
    expect(published(rig, 'all.yaml')).toBe("app/host: a\napp/port: '80'\n")
    expect(published(rig, 'app/port')).toBe('80')

    await rig.writer.txn({ 'app/port': 'eighty', 'app/host': 'b' })
    await eventually(async () => expect((await rig.status()).phase).toBe('Held'))
    expect((await rig.status()).lastError).toMatchObject({ reason: 'RenderFailed' })
    expect((await rig.status()).lastError?.message).toContain('the key app/port is not a number')
    expect((await rig.get('/readyz')).status).toBe(200)
    expect([published(rig, 'app/port'), published(rig, 'app/host')]).toEqual(['80', 'a'])
    expect(await rig.metric('etcd_mirror_guard_holds_total', { reason: 'RenderFailed' })).toBe(1)

    await rig.writer.put('app/port', '81')
    await rig.settled()
    expect(JSON.parse(published(rig, 'app.json'))).toEqual({ app: { host: 'b', port: 81 } })
    expect((await rig.status()).lastError).toBeNull()
    expect(mirror.output).not.toContain('eighty')
  })

  test('a restart renders again, also what changed meanwhile, and publishes nothing that is equal', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/restarts/', files: { render } })
    await rig.writer.txn({ 'app/port': '80', other: 'x' })
    const first = rig.run()
    const { publishedRevision } = await rig.settled()
    await first.kill()

    const second = rig.run()
    await rig.settled()
    expect((await rig.status()).publishedRevision).toBe(publishedRevision)
    await second.kill()

    await rig.writer.put('app/port', '82')
    rig.run()
    await rig.settled()
    expect(JSON.parse(published(rig, 'app.json'))).toEqual({ app: { port: 82 } })
    await rig.writer.delete('other')
    await rig.settled()
    expect(published(rig, 'all.yaml')).toBe("app/port: '82'\n")
  })

  test('a change of render moves the copy over in one publish', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/moves/', files: { render: [{ tree: {} }] } })
    await rig.writer.put('app/port', '80')
    rig.run()
    await rig.settled()
    const target = { files: { root: rig.root, render: render.slice(1) } }
    await rig.configure({ mirrors: [{ name: 'app', prefix: '/moves/', target }] })
    await eventually(() => expect(published(rig, 'all.yaml')).toBe("app/port: '80'\n"))
    expect(() => published(rig, 'app/port')).toThrow('ENOENT')
  })
})
