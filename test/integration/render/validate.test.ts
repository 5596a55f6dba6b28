import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'

let etcd: EtcdServer
beforeAll(async () => {
  etcd = await startEtcd({ version: '3.6' })
})
afterAll(() => etcd?.[Symbol.asyncDispose]())

test('validate and rewrite: a document that does not fit its schema is held, and a changed schema counts without a restart', async () => {
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
  await eventually(() => expect(published()).toEqual({ port: 987_654 }))

  await rig.writeConfig('app.schema.yaml', 'properties: [\n')
  await eventually(async () => expect(await rig.metric('etcd_mirror_config_last_reload_successful')).toBe(0))
  expect(await rig.check()).toMatchObject({ code: 2, output: expect.stringContaining('is neither JSON nor YAML') })
  await rig.writeConfig('app.schema.yaml', '$ref: "#/$defs/port"\n')
  const unresolved = expect.stringMatching(/app\.schema\.yaml: refers to #\/\$defs\/port, which is not in it/)
  expect(await rig.check()).toMatchObject({ code: 2, output: unresolved })
})

test('validate by a command: it runs in the staged tree and vetoes what it refuses, and the last good copy stays', async () => {
  const script = 'echo looked at $(cat "$MIRROR_CHANGES"); grep -q "^worker_processes [0-9]*;$" app.conf'
  const files = {
    render: [{ tree: {} }, { template: { file: 'app.conf', source: 'app.conf.liquid', keys: ['workers'] } }],
    validate: [
      { files: ['**/*.json'], syntax: 'Json' },
      { files: ['*.conf'], command: ['sh', '-c', script], timeout: '20s' },
    ],
    hooks: [{ name: 'late', phase: 'BeforePublish', exec: { command: ['true'] } }],
  }
  await using rig = await MirrorRig.make(etcd, { prefix: '/command/', files })
  await rig.writeConfig('app.conf.liquid', 'worker_processes {{ "workers" | get }};\n')
  const published = () => readFileSync(join(rig.root, 'current/app.conf'), 'utf8')
  await rig.writer.txn({ workers: '4', other: 'x' })
  const mirror = rig.run()
  await rig.settled()
  expect(published()).toBe('worker_processes 4;\n')

  const runsOf = (hook: string) => rig.metric('etcd_mirror_hook_runs_total', { hook })
  const before = await runsOf('late')
  await rig.writer.put('workers', 'hunter2')
  await eventually(async () => expect((await rig.status()).lastError).toMatchObject({ reason: 'ValidationFailed' }))
  const status = await rig.status()
  expect(status.phase).toBe('Held')
  expect(status.lastError?.message).toContain('the command of validate[1] refuses it: it ended with 1')
  await mirror.waitForLog(
    ({ msg, hook, output }) =>
      msg === 'hook failed' && hook === 'validate[1]' && output === 'looked at app.conf workers',
  )
  expect(published()).toBe('worker_processes 4;\n')
  expect(await runsOf('late')).toBe(before)

  await rig.writer.put('workers', '8')
  await eventually(() => expect(published()).toBe('worker_processes 8;\n'))
  expect((await rig.status()).lastError).toBeNull()
  // What it has no business with is published without it.
  const runs = await runsOf('validate[1]')
  await rig.writer.put('other', 'y')
  await rig.settled()
  expect(await runsOf('validate[1]')).toBe(runs)
  expect(mirror.output).not.toContain('hunter2')
})

test('validate by a command that hangs or is missing: run --one-time ends with 7 and publishes nothing', async () => {
  await using rig = await MirrorRig.make(etcd, { prefix: '/hangs/' })
  await rig.writer.put('a', '1')
  for (const [command, state] of [
    [['sh', '-c', 'trap "" TERM; while :; do sleep 1; done'], 'it took longer than 0.2 s'],
    [['no-such-program'], 'no-such-program cannot be run (ENOENT)'],
  ] as const) {
    const target = { files: { root: rig.root, validate: [{ files: ['**'], command, timeout: '200ms' }] } }
    await rig.configure({ mirrors: [{ name: 'app', prefix: rig.prefix, target }] })
    const { code, output } = await rig.runOnce()
    expect([code, output]).toEqual([7, expect.stringContaining(`the command of validate[0] refuses it: ${state}`)])
    expect(existsSync(join(rig.root, 'current'))).toBe(false)
  }
})
