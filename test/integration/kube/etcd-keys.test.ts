import { describe, expect, test } from 'vitest'
import { ETCD_KEYS } from '../../../src/targets/objects/etcd-key-projection.ts'
import { useKube } from '../../support/kube-servers.ts'
import { etcdKeysTarget } from '../../support/kube-targets.ts'
import { eventually } from '../../support/wait.ts'

const kube = useKube()
const make = () => kube.rig([etcdKeysTarget()])

describe('target etcdKeys', () => {
  test('diff and run --dry-run name the resources that a publish would write; verify says that it has no revision', async () => {
    await using rig = await make()
    await rig.writer.txn({ a: 'hunter2', gone: '1', same: 'same' })
    expect((await rig.command('run', ['--one-time'])).code).toBe(0)
    expect(await rig.command('diff')).toMatchObject({ code: 0, output: expect.stringContaining('3 keys') })
    await rig.writer.txn({ a: 'hunter2!', gone: undefined, new: '12' })
    const { code, output } = await rig.command('diff')
    expect(code).toBe(6)
    expect(
      output
        .split('\n')
        .slice(1)
        .map((line) => line.trim().replace(/ +/g, ' ')),
    ).toEqual([
      '~ etcdkeys/app.a 7 B → 8 B',
      '- etcdkeys/app.gone 1 B',
      '+ etcdkeys/app.new 2 B',
      '1 to add, 1 to change, 1 to remove; then 3 keys',
    ])
    const dry = await rig.command('run', ['--dry-run'])
    expect(dry).toMatchObject({ code: 0, output: expect.stringMatching(/"added":1,"changed":1,"removed":1/) })
    expect(await rig.command('verify')).toMatchObject({
      code: 2,
      output: expect.stringContaining('diff compares it with what etcd holds now'),
    })
    expect((await rig.list(ETCD_KEYS)).map(({ metadata }) => metadata.name).sort()).toEqual([
      'app.a',
      'app.gone',
      'app.same',
    ])
  })

  test('follows puts, deletes, transactions and any bytes; writes nothing twice', async () => {
    await using rig = await make()
    await rig.writer.txn({ 'feature/dark-mode': 'on', 'Feature/Dark_Mode': 'off', 'a.b': '1', 'a/b': '2' })
    await rig.writer.put(Buffer.from([0xff, 0xfe]), Buffer.from([0xff, 0]))
    await rig.writer.put('empty', '')
    const run = await rig.run()
    const names = (await rig.settled()).map(({ metadata }) => metadata.name)
    expect(names).toContain('app.feature.dark-mode')
    await rig.writer.txn(Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`many/${index}`, true])))
    await rig.settled()
    await rig.writer.deletePrefix('many/1')
    await rig.writer.put('feature/dark-mode', 'off')
    const objects = await rig.settled()
    const shown = objects.find(({ metadata }) => metadata.name === 'app.feature.dark-mode')
    expect(shown?.spec).toMatchObject({ key: `${rig.prefix}feature/dark-mode`, value: 'off', version: 2 })
    expect(await rig.kubectl(['get', 'etcdkeys', 'app.feature.dark-mode'])).toMatch(/KEY\s+REVISION\s+VERSION\s+MIRROR/)
    const { publishedRevision, keys } = await run.settled()
    expect([publishedRevision, keys]).toEqual([rig.writer.log.lastRevision, objects.length])
    const written = await run.metric('etcd_mirror_objects_total', { result: 'written' })
    // One request for each object: 6 + 300 + 1, and the index now and then.
    expect(written).toBe(307)
    run.process.signal('SIGHUP')
    await eventually(async () => expect(await run.metric('etcd_mirror_resync_total', { reason: 'request' })).toBe(1))
    await run.settled()
    expect(await run.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(written)
  })

  test('a restarted mirror goes on from the index, and finds what changed while it was down', async () => {
    await using rig = await make()
    await rig.writer.txn({ a: '1', b: '2', c: '3' })
    const first = await rig.run()
    await rig.settled()
    await first.settled()
    expect((await first.process.kill()).code).toBe(0)
    await rig.writer.txn({ a: '4', b: undefined, d: '5' })
    const second = await rig.run()
    await rig.settled()
    await second.settled()
    expect(await second.metric('etcd_mirror_resync_total')).toBe(0)
    expect(await second.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(2)
    await second.process.kill()
    await rig.kubectl(['delete', 'etcdkey', 'app.a'])
    await rig.kubectl(['patch', 'etcdkey', 'app.c', '--type=merge', '-p', '{"spec":{"value":"edited"}}'])
    const third = await rig.run()
    await rig.settled()
    await third.settled()
    expect(await third.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(2)
  })

  test('a label of somebody else is no drift', async () => {
    await using rig = await make()
    await rig.writer.put('a', '1')
    const run = await rig.run()
    await rig.settled()
    await rig.kubectl(['label', 'etcdkey', 'app.a', 'team=a'])
    await rig.writer.put('b', '2')
    await rig.settled()
    await run.settled()
    expect(await run.metric('etcd_mirror_objects_total', { result: 'written' })).toBe(2)
    expect(await run.metric('etcd_mirror_drift_detected_total')).toBe(0)
  })

  test('one of two processes writes, and the other goes on where it ends', async () => {
    await using rig = await make()
    await rig.writer.put('a', '1')
    const first = await rig.run()
    await rig.settled()
    const second = await rig.run()
    await second.failing('TargetBusy')
    first.process.signal('SIGSTOP')
    await rig.writer.put('a', '2')
    await rig.settled()
    first.process.signal('SIGCONT')
    await rig.writer.put('a', '3')
    await first.failing('TargetBusy')
    await rig.settled()
    expect(await second.metric('etcd_mirror_resync_total')).toBeLessThanOrEqual(1)
  })
})
