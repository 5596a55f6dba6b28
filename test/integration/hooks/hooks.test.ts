import { existsSync, readFileSync } from 'node:fs'
import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { eventually } from '../../support/wait.ts'

describe('hooks of the command', () => {
  let etcd: EtcdServer
  beforeAll(async () => {
    etcd = await startEtcd({ version: '3.6' })
  })
  afterAll(() => etcd?.[Symbol.asyncDispose]())

  const sh = (name: string, phase: string, script: string, more: object = {}) => ({
    name,
    phase,
    exec: { command: ['sh', '-c', script] },
    ...more,
  })
  const lines = (path: string) => (existsSync(path) ? readFileSync(path, 'utf8').trimEnd().split('\n') : [])

  test('a veto is a hold with its reason, and ends with the next change; the values stay out of log and status', async () => {
    const hooks = [sh('check', 'BeforePublish', 'echo looked; ! grep -q hunter2 a')]
    await using rig = await MirrorRig.make(etcd, { prefix: '/veto/', files: { hooks } })
    await rig.writer.put('a', 'good')
    const mirror = rig.run()
    await rig.settled()
    await rig.writer.put('a', 'hunter2')
    await eventually(async () => expect((await rig.status()).phase).toBe('Held'))
    expect((await rig.status()).lastError).toMatchObject({ reason: 'HookVetoed' })
    expect(await rig.metric('etcd_mirror_held')).toBe(1)
    expect(readFileSync(join(rig.root, 'current/a'), 'utf8')).toBe('good')
    await mirror.waitForLog((line) => line.msg === 'hook failed' && line.output === 'looked')
    await rig.writer.put('a', 'better')
    await rig.expectSettledCopy()
    expect((await rig.status()).lastError).toBeNull()
    expect(mirror.output).not.toContain('hunter2')
  })

  test('run --one-time ends with 7 when a hook vetoes the first copy', async () => {
    await using rig = await MirrorRig.make(etcd, {
      prefix: '/once/',
      files: { hooks: [sh('check', 'BeforePublish', 'exit 1')] },
    })
    await rig.writer.put('a', 'x')
    expect(await rig.runOnce()).toMatchObject({ code: 7 })
    expect(existsSync(join(rig.root, 'current'))).toBe(false)
  })

  test('run --one-time waits for hooks after the publish, and tells a hook of the copy once', async () => {
    await using directory = await makeTempDir('hooks')
    const runs = join(directory.path, 'runs')
    // The first run fails.
    const script = `echo "$MIRROR_REVISION" >> ${runs}; [ "$(wc -l < ${runs})" -ge 2 ]`
    const hooks = [sh('tell', 'AfterPublish', script), sh('other', 'AfterPublish', 'exit 0', { debounce: '100ms' })]
    await using rig = await MirrorRig.make(etcd, { prefix: '/waits/', files: { hooks } })
    const revision = await rig.writer.put('a', 'x')
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    expect(lines(runs)).toEqual([`${revision}`, `${revision}`])
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    expect(lines(runs)).toHaveLength(2)
  })

  test('run --one-time ends with 8 when a hook fails to the end, and the copy is published', async () => {
    await using rig = await MirrorRig.make(etcd, { prefix: '/fails/' })
    await rig.writer.put('a', 'x')
    const withHook = async (script: string) => {
      const hooks = [sh('tell', 'AfterPublish', script, { retries: 0, timeout: '300ms' })]
      await rig.configure({
        mirrors: [{ name: 'app', prefix: rig.prefix, target: { files: { root: rig.root, hooks } } }],
      })
      return await rig.runOnce()
    }
    expect(await withHook('exit 3')).toMatchObject({
      code: 8,
      output: expect.stringMatching(/Cannot run the hook tell: it ended with 3.*--skip-after-hooks/s),
    })
    await rig.expectCopy()
    expect(await withHook('sleep 1000')).toMatchObject({
      code: 8,
      output: expect.stringContaining('Cannot run the hook tell: it took longer than 0.3 s'),
    })
  })

  test('run --one-time --skip-after-hooks leaves hooks after the publish to a later run, and a veto is a veto', async () => {
    await using directory = await makeTempDir('hooks')
    const runs = join(directory.path, 'runs')
    const tell = sh('tell', 'AfterPublish', `echo "$MIRROR_REVISION $MIRROR_FROM_REVISION" >> ${runs}`)
    const check = sh('check', 'BeforePublish', 'test "$(cat a)" != bad')
    await using rig = await MirrorRig.make(etcd, { prefix: '/skips/', files: { hooks: [check, tell] } })
    await rig.writer.put('a', 'bad')
    expect(await rig.runOnce(['--skip-after-hooks'])).toMatchObject({ code: 7 })
    const revision = await rig.writer.put('a', 'x')
    expect(await rig.runOnce(['--skip-after-hooks'])).toMatchObject({ code: 0 })
    await rig.expectCopy()
    expect(lines(runs)).toEqual([])
    expect(await rig.runOnce()).toMatchObject({ code: 0 })
    expect(lines(runs)).toEqual([`${revision} 0`])
  })

  test('a hook that fails after a publish shows in status, metrics and log, and what is published stays', async () => {
    await using directory = await makeTempDir('hooks')
    const ok = join(directory.path, 'ok')
    await using rig = await MirrorRig.make(etcd, {
      prefix: '/after/',
      files: { hooks: [sh('reload', 'AfterPublish', `[ -e ${ok} ]`)] },
    })
    await rig.writer.put('a', 'x')
    rig.run()
    await rig.expectSettledCopy()
    await eventually(async () => expect((await rig.status()).lastError).toMatchObject({ reason: 'HookFailed' }))
    await writeFile(ok, '')
    await eventually(async () => expect((await rig.status()).lastError).toBeNull(), { timeoutMs: 60_000 })
    expect(await rig.metric('etcd_mirror_hook_runs_total', { hook: 'reload', result: 'success' })).toBe(1)
  })

  test('a publish that a hook has not heard of when the mirror is killed is told after the restart', async () => {
    await using directory = await makeTempDir('hooks')
    const [runs, stuck] = [join(directory.path, 'runs'), join(directory.path, 'stuck')]
    const script = `[ -e ${stuck} ] && exec sleep 5; echo "$MIRROR_FROM_REVISION $MIRROR_REVISION" >> ${runs}`
    await using rig = await MirrorRig.make(etcd, {
      prefix: '/killed/',
      files: { hooks: [sh('reload', 'AfterPublish', script)] },
    })
    const first = await rig.writer.put('a', '1')
    const mirror = rig.run()
    await eventually(() => expect(lines(runs)).toEqual([`0 ${first}`]))
    await writeFile(stuck, '')
    const second = await rig.writer.put('a', '2')
    await rig.settled()
    await mirror.kill('SIGKILL')
    await rm(stuck)
    rig.run()
    await eventually(() => expect(lines(runs)).toEqual([`0 ${first}`, `${first} ${second}`]))
  })

  test('SIGTERM ends the process at once, and a hook that hangs with it', async () => {
    await using directory = await makeTempDir('hooks')
    const pid = join(directory.path, 'pid')
    await using rig = await MirrorRig.make(etcd, {
      prefix: '/term/',
      files: { hooks: [sh('hang', 'AfterPublish', `echo $$ > ${pid}; trap "" TERM; while :; do sleep 1; done`)] },
    })
    await rig.writer.put('a', '1')
    const mirror = rig.run()
    await eventually(() => expect(lines(pid)).toHaveLength(1))
    expect(await mirror.kill('SIGTERM')).toMatchObject({ code: 0 })
    await eventually(() => expect(existsSync(`/proc/${lines(pid)[0]}`)).toBe(false))
  })

  test('a storm of changes is a bounded number of runs, the last one about the last change', async () => {
    await using directory = await makeTempDir('hooks')
    const runs = join(directory.path, 'runs')
    const hooks = [sh('reload', 'AfterPublish', `cat a >> ${runs}; echo >> ${runs}`, { debounce: '500ms' })]
    await using rig = await MirrorRig.make(etcd, { prefix: '/storm/', files: { hooks } })
    await rig.writer.put('a', 'first')
    rig.run()
    await eventually(() => expect(lines(runs)).toEqual(['first']))
    for (let change = 1; change <= 1000; change++) await rig.writer.put('a', `${change}`)
    const publishes = await rig.settled().then(() => rig.metric('etcd_mirror_sync_total', { result: 'success' }))
    await eventually(() => expect(lines(runs).at(-1)).toBe('1000'))
    expect(publishes).toBeGreaterThan(lines(runs).length)
  })

  test('check tries the signal, and names a process that is not there', async () => {
    const hooks = [{ name: 'reload', phase: 'AfterPublish', signal: { process: 'no-such-server' } }]
    await using rig = await MirrorRig.make(etcd, { prefix: '/signal/', files: { hooks } })
    expect(await rig.check()).toMatchObject({
      code: 1,
      output: expect.stringContaining('hook reload: there is no process no-such-server'),
    })
  })
})
