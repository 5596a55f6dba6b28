import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'
import { Page } from '../../unit/docs/markdown.ts'

const guide = Page.read('docs/migrating-from-confd.md')

describe('templates', () => {
  let etcd: EtcdServer
  beforeAll(async () => {
    etcd = await startEtcd({ version: '3.6' })
  })
  afterAll(() => etcd?.[Symbol.asyncDispose]())

  const published = (rig: MirrorRig, path: string) => readFileSync(join(rig.root, 'current', path), 'utf8')
  const render = [{ tree: {} }, { template: { file: 'app.conf', source: 'app.liquid', env: ['ZONE'] } }]

  test('docs/migrating-from-confd.md: the three resources make the files that confd made', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/production/' })
    const section = guide.section('A setup with three resources')
    const [keys = ''] = section.blocks('keys')
    await rig.writer.txn(
      Object.fromEntries(
        keys
          .trimEnd()
          .split('\n')
          .map((line) => line.split(/ (.*)/s, 2)),
      ),
    )
    const [nginx = '', app = ''] = section.blocks('liquid')
    await rig.writeConfig('nginx.liquid', nginx)
    await rig.writeConfig('app.liquid', app)
    const { mirrors } = parse(section.blocks('yaml')[0] ?? '') as { mirrors: { target: { files: object } }[] }
    const [mirror] = mirrors
    await rig.configure({ mirrors: [{ ...mirror, target: { files: { ...mirror?.target.files, root: rig.root } } }] })
    // There is no nginx here that could be told: the copy stands.
    expect(await rig.runOnce()).toMatchObject({ code: 8 })
    const files = [...section.text.matchAll(/^`([^`]+)`:\n\n```\w*\n(.*?)^```$/gms)]
    expect(files.map(([, file]) => file)).toEqual(['conf.d/app.conf', 'app.properties', 'hosts.json'])
    for (const [, file = '', content] of files) expect([file, published(rig, file)]).toEqual([file, content])
  })

  test('README.md: its document, template, check and hooks work as they stand there', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/config/app/' })
    const section = Page.read('README.md').section('Files as the application wants them')
    await rig.writeConfig('app.conf.liquid', section.blocks('liquid')[0] ?? '')
    const { mirrors } = parse(section.blocks('yaml')[0] ?? '') as { mirrors: { target: { files: object } }[] }
    const [mirror] = mirrors
    await rig.configure({ mirrors: [{ ...mirror, target: { files: { ...mirror?.target.files, root: rig.root } } }] })
    await rig.writer.put('greeting', 'hello')
    rig.run()
    await rig.settled()
    expect(published(rig, 'app.json')).toBe('{\n  "greeting": "hello"\n}\n')
    expect(published(rig, 'app.conf')).toBe('greeting = hello\n')
    // There is no server of that name here: the publish stands, and that nobody could be told is said.
    await eventually(async () => expect((await rig.status()).lastError).toMatchObject({ reason: 'HookFailed' }))
    expect(await rig.metric('etcd_mirror_hook_runs_total', { hook: 'check', result: 'success' })).toBe(1)
  })

  test('a changed template counts without a restart; a broken one changes nothing', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/templates/', files: { render } })
    await rig.writeConfig('app.liquid', 'host {{ "host" | get }} in {{ "ZONE" | env }}')
    await rig.writer.put('host', 'a')
    rig.command('run', ['--http-bind', rig.http], { ZONE: 'z1', SECRET: 'hunter2' })
    await rig.settled()
    expect(published(rig, 'app.conf')).toBe('host a in z1')

    await rig.writeConfig('app.liquid', 'Host {{ "host" | get }}')
    await eventually(() => expect(published(rig, 'app.conf')).toBe('Host a'))

    await rig.writeConfig('app.liquid', '{% if %}')
    await eventually(async () => {
      expect(await rig.metric('etcd_mirror_config_last_reload_successful')).toBe(0)
    })
    expect((await rig.get('/status')).body).toContain('app.liquid:1')
    await rig.writer.put('host', 'b')
    await rig.settled()
    expect(published(rig, 'app.conf')).toBe('Host b')
  })

  test('a restart with a broken template goes on with the one that was accepted last', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/accepted/', files: { render } })
    await rig.writeConfig('app.liquid', 'host {{ "host" | get }}')
    await rig.writer.put('host', 'a')
    const first = rig.run()
    await rig.settled()
    await first.kill()
    await rig.writeConfig('app.liquid', '{{ nothing closes this')
    await rig.writer.put('host', 'b')
    rig.run()
    await eventually(() => expect(published(rig, 'app.conf')).toBe('host b'))
  })

  test('a missing key holds the copy and is named; putting it goes on', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/missing/', files: { render } })
    await rig.writeConfig('app.liquid', 'host {{ "host" | get }}')
    await rig.writer.put('other', 'x')
    expect(await rig.runOnce()).toMatchObject({ code: 7, output: expect.stringContaining('there is no key host') })
    rig.run()
    await eventually(async () => expect((await rig.status()).lastError).toMatchObject({ reason: 'RenderFailed' }))
    await rig.writer.put('host', 'a')
    await rig.settled()
    expect(published(rig, 'app.conf')).toBe('host a')
  })

  test('check names a template that is missing', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/check/', files: { render } })
    const { code, output } = await rig.check()
    expect(code).toBe(2)
    expect(output).toMatch(/render\[1\]\.template\.source: .*app\.liquid does not exist/)
  })
})
