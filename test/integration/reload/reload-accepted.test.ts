import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { ReloadRig } from './reload-rig.ts'

const FROM_ACCEPTED = 'the configuration is broken; running with the one that was accepted last'

test.each([
  ['mirror.yaml holds a typo', 'mirror.yaml', (text: string) => text.replace('"prefix"', '"prefixx"')],
  ['mirror.yaml is no YAML', 'mirror.yaml', (text: string) => `${text}]`],
  ['etcd.conf holds a wrong value', 'etcd.conf', (text: string) => text.replace('endpoints: [', 'endpoints: [7,')],
])('a restart while %s goes on with the configuration that was accepted last', async (_case, name, spoil) => {
  await using rig = await ReloadRig.start()
  await rig.put('/app/key', 'one')
  const good = {
    'etcd.conf': rig.etcdConf('# my secret comment\npassword: hunter2\n'),
    'mirror.yaml': rig.mirrorYaml({ app: { prefix: '/old/' } }),
  }
  await rig.config.update(good)
  await rig.runUntilReady()
  // The copy follows every configuration that is accepted.
  await rig.config.update({ ...good, 'mirror.yaml': rig.mirrorYaml({ app: { prefix: '/app/' } }) })
  await rig.shows('app', 'key', 'one')
  await rig.process.kill()
  const kept = await readFile(join(rig.root('app'), '.etcd-mirror/accepted-config.json'), 'utf8')
  expect(kept).not.toMatch(/secret|hunter/)

  const files = { ...good, 'mirror.yaml': rig.mirrorYaml({ app: { prefix: '/app/' } }) }
  await rig.config.update({ ...files, [name]: spoil(files[name as keyof typeof files]) })
  await rig.runUntilReady()
  expect(rig.logs(FROM_ACCEPTED)).toMatchObject([{ level: 'error', problems: [expect.stringContaining(name)] }])
  expect(await rig.metric('etcd_mirror_config_last_reload_successful')).toBe(0)
  expect((await rig.status()).config).toMatchObject({ usesAcceptedCopy: true, lastReload: { result: 'error' } })
  await rig.put('/app/key', 'two')
  await rig.shows('app', 'key', 'two')
  expect(await rig.metric('etcd_mirror_resync_total{mirror="app",reason="start"}')).toBe(0)

  await rig.config.update(files)
  expect(await rig.waitForLog('configuration reloaded')).toMatchObject({ kept: ['app'] })
  expect(await rig.metric('etcd_mirror_config_last_reload_successful')).toBe(1)
  expect((await rig.status()).config).toMatchObject({ usesAcceptedCopy: false, lastReload: { result: 'success' } })
})

test('a start with a broken configuration and no accepted one ends with 2 and every problem', async () => {
  await using rig = await ReloadRig.start()
  const mirrorYaml = rig.mirrorYaml({ app: { prefix: '/app/' } }).replace('"prefix"', '"prefixx"')
  await rig.config.update({ 'etcd.conf': 'endpoints: 7\n', 'mirror.yaml': mirrorYaml })
  const process = rig.run()
  expect((await process.exit).code).toBe(2)
  expect(process.output).toContain(`${rig.config.file('etcd.conf')}:1:12: endpoints: must be a list`)
  expect(process.output).toContain('prefixx: unknown key, did you mean "prefix"?')
})
