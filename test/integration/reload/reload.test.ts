import { readdir, readFile, realpath } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { ReloadRig } from './reload-rig.ts'

const RELOADED = 'configuration reloaded'
const BROKEN = 'the configuration is broken; the one in use stays'

describe('a changed configuration', () => {
  test('restarts the mirrors that changed and no other, when ..data of the mounted ConfigMap flips', async () => {
    await using rig = await ReloadRig.start()
    for (const prefix of ['/kept/', '/changed/', '/removed/', '/added/']) await rig.put(`${prefix}key`, 'one')
    const kept = { prefix: '/kept/' }
    const changed = { prefix: '/changed/' }
    const removed = { prefix: '/removed/' }
    const added = { prefix: '/added/' }
    await rig.configure({ kept, changed, removed })
    await rig.runUntilReady()

    await rig.configure({ added, kept, changed: { ...changed, files: { mode: '0600' } } })
    expect(await rig.waitForLog(RELOADED)).toMatchObject({
      added: ['added'],
      removed: ['removed'],
      restarted: ['changed'],
      kept: ['kept'],
    })
    await rig.ready()

    for (const name of ['kept', 'changed', 'added']) await rig.put(`/${name}/key`, 'two')
    await rig.put('/removed/key', 'two')
    for (const name of ['kept', 'changed', 'added']) await rig.shows(name, 'key', 'two')
    await rig.shows('removed', 'key', 'one')
    const opened = rig.logs('watch open').map(({ mirror }) => mirror)
    expect(opened.toSorted()).toEqual(['added', 'changed', 'changed', 'kept', 'removed'])
    expect((await rig.status()).mirrors.map(({ name }) => name)).toEqual(['added', 'kept', 'changed'])
    expect((await rig.get('/metrics')).body).not.toContain('mirror="removed"')
    expect((await rig.get('/readyz?verbose')).body).not.toContain('removed')
    expect(await rig.metric('etcd_mirror_watch_restarts_total{mirror="kept",reason="other"}')).toBe(0)
    expect(await rig.metric('etcd_mirror_resync_total{mirror="kept",reason="start"}')).toBe(1)
    expect(await rig.metric('etcd_mirror_config_reloads_total{result="success"}')).toBe(1)
    expect((await rig.process.kill()).code).toBe(0)
  })

  test('that is broken leaves the one before in use and says so, until it is mended', async () => {
    await using rig = await ReloadRig.start()
    await rig.put('/app/key', 'one')
    await rig.configure({ app: { prefix: '/app/' } })
    await rig.runUntilReady()
    const good = rig.mirrorYaml({ app: { prefix: '/app/' } })
    const mirrorYaml = (text: string) => rig.config.update({ 'etcd.conf': rig.etcdConf(), 'mirror.yaml': text })

    await mirrorYaml(good.replace('"prefix"', '"prefixx"'))
    const problem = `${rig.config.file('mirror.yaml')}:8:4: mirrors[0].prefixx: unknown key, did you mean "prefix"?`
    expect(await rig.waitForLog(BROKEN)).toMatchObject({ level: 'error', problems: [problem] })
    expect((await rig.get('/readyz')).status).toBe(200)
    expect((await rig.status()).config).toMatchObject({
      files: [rig.config.file('mirror.yaml')],
      usesAcceptedCopy: false,
      lastReload: { result: 'error', problems: [problem] },
    })
    expect(await rig.metric('etcd_mirror_config_last_reload_successful')).toBe(0)
    await rig.put('/app/key', 'two')
    await rig.shows('app', 'key', 'two')

    // The same fault in another text, then a fault of another kind.
    await mirrorYaml(`${good.replace('"prefix"', '"prefixx"')}# again\n`)
    await rig.waitForMetric('etcd_mirror_config_reloads_total{result="error"}', 2)
    await mirrorYaml('mirrors: [')
    await rig.waitForMetric('etcd_mirror_config_reloads_total{result="error"}', 3)
    await mirrorYaml(good)
    expect(await rig.waitForLog(RELOADED)).toMatchObject({ kept: ['app'], restarted: [] })
    expect(await rig.metric('etcd_mirror_config_last_reload_successful')).toBe(1)
    expect((await rig.status()).config.lastReload).toMatchObject({ result: 'success', problems: [] })
    expect(rig.logs(BROKEN)).toHaveLength(2)
    expect(rig.logs('watch open')).toHaveLength(1)
  })

  test('of a prefix moves the copy over as one: readers see the old or the new tree, and probes never fail', async () => {
    await using rig = await ReloadRig.start()
    const lines = (count: number, prefix: string) =>
      Array.from({ length: count }, (_, index) => `put ${prefix}${index} ${prefix}`).join('\n')
    await rig.etcd.etcdctl(['txn'], { input: `\n${lines(400, '/old/')}\n\n\n` })
    await rig.etcd.etcdctl(['txn'], { input: `\n${lines(300, '/new/')}\n\n\n` })
    const files = { readerGrace: '30s' }
    await rig.configure({ app: { prefix: '/old/', files } })
    await rig.runUntilReady()

    await rig.configure({ app: { prefix: '/new/', files } })
    const seen = new Set<string>()
    while (!seen.has('300 × /new/')) {
      seen.add(await describeTree(join(rig.root('app'), 'current')))
      expect((await rig.get('/readyz')).status).toBe(200)
    }
    expect([...seen].toSorted()).toEqual(['300 × /new/', '400 × /old/'])
    expect(await rig.metric('etcd_mirror_sync_total{mirror="app",result="success"}')).toBe(2)
  })

  test('of http.bind is said to need a restart', async () => {
    await using rig = await ReloadRig.start()
    await rig.configure({ app: { prefix: '/app/' } })
    await rig.runUntilReady()
    await rig.configure({ app: { prefix: '/app/' } }, '127.0.0.1:1')
    expect(await rig.waitForLog('http.bind changed: it counts after a restart')).toMatchObject({ level: 'warn' })
    expect((await rig.get('/readyz')).status).toBe(200)
  })
})

test('SIGHUP takes a snapshot of every mirror, and reloads only what changed', async () => {
  await using rig = await ReloadRig.start()
  await rig.configure({ a: { prefix: '/a/' }, b: { prefix: '/b/' } })
  await rig.runUntilReady()
  rig.process.signal('SIGHUP')
  for (const mirror of ['a', 'b']) {
    await rig.process.waitForLog(
      (line) => line.msg === 'taking a snapshot' && line.mirror === mirror && line.reason === 'request',
    )
  }
  await rig.ready()
  expect(await rig.metric('etcd_mirror_config_reloads_total{result="success"}')).toBe(0)
  expect(rig.logs(RELOADED)).toEqual([])

  await rig.config.update({
    'etcd.conf': rig.etcdConf('dial-timeout: 7s\n'),
    'mirror.yaml': rig.mirrorYaml({ a: { prefix: '/a/' }, b: { prefix: '/b/' } }),
  })
  rig.process.signal('SIGHUP')
  expect(await rig.waitForLog(RELOADED)).toMatchObject({ restarted: ['a', 'b'] })
  for (const mirror of ['a', 'b']) {
    await rig.waitForMetric(`etcd_mirror_resync_total{mirror="${mirror}",reason="request"}`, 2)
  }
})

/** How many files with which content stand in the tree that a link leads to now. */
async function describeTree(link: string): Promise<string> {
  const tree = await realpath(link)
  const names = await readdir(tree)
  const contents = await Promise.all(names.map((name) => readFile(join(tree, name), 'utf8')))
  return `${names.length} × ${[...new Set(contents)].join(' and ')}`
}
