import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'

test('validate and rewrite: a document that does not fit its schema is held, and a changed schema counts without a restart', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  const files = {
    rewrite: [{ match: '^v1/', replace: '' }],
    render: [{ document: { file: 'app.json', syntax: 'Json', values: [{ keys: ['port'], as: 'Number' }] } }],
    validate: [{ files: ['app.json'], syntax: 'Json', schema: 'app.schema.yaml' }],
  }
  await using rig = await MirrorRig.make(etcd, { prefix: '/validate/', files })
  await rig.writeConfig('app.schema.yaml', 'properties: { port: { maximum: 1000 } }\n')
  await rig.writer.put('v1/port', '80')
  const published = () => JSON.parse(readFileSync(join(rig.root, 'current/app.json'), 'utf8'))
  const mirror = rig.run()
  await rig.settled()
  expect(published()).toEqual({ port: 80 })

  await rig.writer.put('v1/port', '987654')
  await eventually(async () => expect((await rig.status()).lastError).toMatchObject({ reason: 'ValidationFailed' }))
  expect((await rig.status()).lastError?.message).toContain('it does not fit app.schema.yaml: /port (maximum)')
  expect(published()).toEqual({ port: 80 })
  expect(mirror.output).not.toContain('987654')

  await rig.writeConfig('app.schema.yaml', 'properties: { port: { maximum: 1000000 } }\n')
  await eventually(() => expect(published()).toEqual({ port: 987_654 }), { timeoutMs: 30_000 })

  await rig.writeConfig('app.schema.yaml', 'properties: [\n')
  await eventually(async () => expect(await rig.metric('etcd_mirror_config_last_reload_successful')).toBe(0))
  expect(await rig.check()).toMatchObject({ code: 2, output: expect.stringContaining('is neither JSON nor YAML') })
})
