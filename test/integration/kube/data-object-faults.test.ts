import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ListWatch } from '../../../src/kube/list-watch.ts'
import { dataObjectRules } from '../../../src/targets/objects/rbac-rules.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { KubeRig } from '../../support/kube-rig.ts'
import { eventually } from '../../support/wait.ts'

let api: KubeApi
let etcd: EtcdServer

beforeAll(async () => {
  api = await startKubeApi({ users: ['mirror'] })
  etcd = await startEtcd({ version: '3.6' })
})
afterAll(async () => {
  await etcd?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
})

const target = { configMap: { name: 'app' } }
const make = () => KubeRig.make({ api, etcd, target })

/** Reads the object at every change; fails when what it shows is no whole revision, or an older one than before. */
function watchReader(rig: KubeRig) {
  const faults: string[] = []
  const seen: number[] = []
  const stop = new AbortController()
  const look = (object: Parameters<KubeRig['expectData']>[0]) => {
    const revision = Number(object?.metadata.annotations?.['etcdmirror.dev/revision'])
    if (revision < (seen.at(-1) ?? 0)) faults.push(`${revision} after ${seen.at(-1)}`)
    if (revision !== seen.at(-1)) seen.push(revision)
    // The writer's log may not have the revision yet: it is looked at again at the end.
    objects.push(object)
  }
  const objects: Parameters<KubeRig['expectData']>[0][] = []
  const ended = new ListWatch({
    client: rig.admin,
    query: { resource: CONFIG_MAPS, namespace: rig.namespace, fieldSelector: 'metadata.name=app' },
    clock: systemClock,
    onList: (list) => list.forEach(look),
    onChange: look,
    onDelete: () => faults.push('deleted'),
  }).run(stop.signal)
  return {
    seen,
    async end() {
      stop.abort()
      await ended
      for (const object of objects) rig.expectData(object, 'ConfigMap')
      expect(faults).toEqual([])
    },
  }
}

describe('a ConfigMap in spite of faults', () => {
  test('a reader sees whole revisions only, each newer than the one before, over restarts of everything', async () => {
    await using rig = await make()
    await rig.writer.txn({ a: '0', b: '0' })
    const reader = watchReader(rig)
    let run = await rig.run()
    await rig.settled('ConfigMap')
    const write = async (times: number) => {
      for (let index = 0; index < times; index++) {
        await rig.writer.txn({ a: true, b: true, [`c/${index % 7}`]: index % 3 === 0 ? undefined : true })
      }
    }
    await write(100)
    await api.kill()
    await write(20)
    await api.restart()
    await write(20)
    await rig.settled('ConfigMap')
    await etcd.kill()
    await etcd.restart()
    await rig.writer.reconnect()
    await write(20)
    await rig.settled('ConfigMap')
    await run.process.kill()
    await write(20)
    run = await rig.run()
    await write(20)
    await rig.settled('ConfigMap')
    await run.process.kill('SIGKILL')
    run = await rig.run()
    await write(20)
    await rig.settled('ConfigMap')
    await reader.end()
    // How many it sees is up to the machine: each outage at least is followed by one.
    expect(reader.seen.length).toBeGreaterThan(3)
  })

  test('of two processes one writes; one that stood still for a while moves nothing back', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    const first = await rig.run()
    await rig.settled('ConfigMap')
    const reader = watchReader(rig)
    const second = await rig.run()
    expect((await second.failing('TargetBusy')).published).toBe(false)
    first.process.signal('SIGSTOP')
    await rig.writer.put('a', '1')
    await rig.settled('ConfigMap')
    await second.settled()
    for (let index = 0; index < 20; index++) {
      if (index === 5) first.process.signal('SIGCONT')
      await rig.writer.put('a', `later ${index}`)
    }
    await first.failing('TargetBusy')
    await rig.settled('ConfigMap')
    expect((await second.process.kill()).code).toBe(0)
    await rig.writer.put('a', 'last')
    await rig.settled('ConfigMap')
    await first.settled()
    await reader.end()
  })

  test('a paused API server is waited for', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    const run = await rig.run()
    await rig.settled('ConfigMap')
    api.pause()
    await rig.writer.put('a', '1')
    await sleep(3000)
    expect((await run.status()).published).toBe(true)
    api.resume()
    await rig.settled('ConfigMap')
  })

  test('a right that is missing is named; with it the mirror goes on', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    const rules = dataObjectRules('app', CONFIG_MAPS, 'app')
    const run = await rig.run()
    await rig.settled('ConfigMap')
    await rig.grant(rules.filter(({ verbs }) => !verbs.includes('patch')))
    await rig.writer.put('a', '1')
    const { lastError, published } = await run.failing('TargetNotWritable')
    expect([published, lastError?.message]).toEqual([
      true,
      expect.stringContaining('cannot patch resource "configmaps"'),
    ])
    await rig.grant(rules)
    await rig.settled('ConfigMap')
    await run.until((status) => expect(status.lastError).toBeNull())
  })

  test('every rule of the least role is needed', async () => {
    const rules = dataObjectRules('app', CONFIG_MAPS, 'app')
    await using rig = await make()
    await rig.writer.put('a', '0')
    for (const rule of rules) {
      await rig.grant(rules.filter((each) => each !== rule))
      const run = await rig.run()
      const { published } = await run.failing('TargetNotWritable')
      expect(published, JSON.stringify(rule)).toBe(false)
      expect((await run.process.kill()).code).toBe(0)
    }
    await rig.grant(rules)
    const once = await rig.run({ args: ['--one-time'] })
    expect([(await once.process.exit).code, once.process.output]).toEqual([0, expect.anything()])
    await rig.settled('ConfigMap')
  })

  test('a namespace that is going away is reported, and nothing is made in it', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    const run = await rig.run()
    await rig.settled('ConfigMap')
    // Without a controller manager it stays like this, as one with finalizers does.
    await api.kubectl(['delete', 'namespace', rig.namespace, '--wait=false'])
    await rig.kubectl(['delete', 'configmap', 'app', '--ignore-not-found'])
    await rig.writer.put('a', '1')
    await run.failing('TargetNotWritable')
    expect(await rig.get(CONFIG_MAPS, 'app')).toBeUndefined()
  })

  test('another mirror of the same object is refused', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    await rig.run()
    await rig.settled('ConfigMap')
    await rig.grant([...dataObjectRules('app', CONFIG_MAPS, 'app'), ...dataObjectRules('other', CONFIG_MAPS, 'app')])
    const other = await rig.run({ name: 'other' })
    const { lastError } = await other.failing('TargetForeign')
    expect(lastError?.message).toContain('it belongs to the mirror "app"')
  })

  test('guards hold the object as they hold files', async () => {
    await using rig = await KubeRig.make({ api, etcd, target, mirror: { safety: { refuseEmpty: true } } })
    await rig.writer.put('a', '0')
    const run = await rig.run()
    const before = await rig.settled('ConfigMap')
    await rig.writer.delete('a')
    const { phase } = await run.failing('EmptyRefused')
    expect(phase).toBe('Held')
    expect((await rig.get(CONFIG_MAPS, 'app'))?.data).toEqual(before.data)
  })

  test('what is there while etcd is away is put right all the same', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    const run = await rig.run()
    await rig.settled('ConfigMap')
    await etcd.kill()
    await rig.kubectl(['delete', 'configmap', 'app'])
    await eventually(async () => expect((await rig.data(CONFIG_MAPS, 'app')).a).toBe('0'), { timeoutMs: 30_000 })
    await etcd.restart()
    await rig.writer.reconnect()
    await rig.writer.put('a', '1')
    await rig.settled('ConfigMap')
    await run.settled()
  })
})
