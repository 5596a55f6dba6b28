import { setTimeout as sleep } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ListWatch } from '../../../src/kube/list-watch.ts'
import { systemClock } from '../../../src/util/clock.ts'
import type { KubeRig } from '../../support/kube-rig.ts'
import { useKube } from '../../support/kube-servers.ts'
import { configMapTarget } from '../../support/kube-targets.ts'
import { eventually } from '../../support/wait.ts'

const kube = useKube()
const make = () => kube.rig([configMapTarget()])

/** Reads the object at every change; fails when what it shows is no whole revision, or an older one than before. */
function watchReader(rig: KubeRig) {
  const faults: string[] = []
  const seen: number[] = []
  const stop = new AbortController()
  const look = (object: Parameters<KubeRig['expectRevision']>[0]) => {
    const revision = Number(object?.metadata.annotations?.['etcdmirror.dev/revision'])
    if (revision < (seen.at(-1) ?? 0)) faults.push(`${revision} after ${seen.at(-1)}`)
    if (revision !== seen.at(-1)) seen.push(revision)
    // The writer's log may not have the revision yet: it is looked at again at the end.
    objects.push(object)
  }
  const objects: Parameters<KubeRig['expectRevision']>[0][] = []
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
      for (const object of objects) rig.expectRevision(object)
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
    await rig.settled()
    const write = async (times: number) => {
      for (let index = 0; index < times; index++) {
        await rig.writer.txn({ a: true, b: true, [`c/${index % 7}`]: index % 3 === 0 ? undefined : true })
      }
    }
    await write(100)
    await kube.api.kill()
    await write(20)
    await kube.api.restart()
    await write(20)
    await rig.settled()
    await kube.etcd.kill()
    await kube.etcd.restart()
    await rig.writer.reconnect()
    await write(20)
    await rig.settled()
    await run.process.kill()
    await write(20)
    run = await rig.run()
    await write(20)
    await rig.settled()
    await run.process.kill('SIGKILL')
    run = await rig.run()
    await write(20)
    await rig.settled()
    await reader.end()
    // How many it sees is up to the machine: each outage at least is followed by one.
    expect(reader.seen.length).toBeGreaterThan(3)
  })

  test('of two processes one writes; one that stood still for a while moves nothing back', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    const first = await rig.run()
    await rig.settled()
    const reader = watchReader(rig)
    const second = await rig.run()
    expect((await second.failing('TargetBusy')).published).toBe(false)
    first.process.signal('SIGSTOP')
    await rig.writer.put('a', '1')
    await rig.settled()
    await second.settled()
    for (let index = 0; index < 20; index++) {
      if (index === 5) first.process.signal('SIGCONT')
      await rig.writer.put('a', `later ${index}`)
    }
    await first.failing('TargetBusy')
    await rig.settled()
    expect((await second.process.kill()).code).toBe(0)
    await rig.writer.put('a', 'last')
    await rig.settled()
    await first.settled()
    await reader.end()
  })

  test('a paused API server is waited for', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    const run = await rig.run()
    await rig.settled()
    kube.api.pause()
    await rig.writer.put('a', '1')
    await sleep(3000)
    expect((await run.status()).published).toBe(true)
    kube.api.resume()
    await rig.settled()
  })

  test('another mirror of the same object is refused', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    await rig.run()
    await rig.settled()
    const target = configMapTarget({}, 'other')
    await rig.grant([...rig.rules, ...target.rules])
    const other = await rig.run({ targets: [target] })
    const { lastError } = await other.failing('TargetForeign')
    expect(lastError?.message).toContain('it belongs to the mirror "app"')
  })

  test('guards hold the object as they hold files', async () => {
    await using rig = await kube.rig([configMapTarget()], { mirror: { safety: { refuseEmpty: true } } })
    await rig.writer.put('a', '0')
    const run = await rig.run()
    const before = await rig.holder('a')
    await rig.writer.delete('a')
    const { phase } = await run.failing('EmptyRefused')
    expect(phase).toBe('Held')
    expect((await rig.get(CONFIG_MAPS, 'app'))?.data).toEqual(before.data)
  })

  test('what is there while etcd is away is put right all the same', async () => {
    await using rig = await make()
    await rig.writer.put('a', '0')
    const run = await rig.run()
    await rig.settled()
    await kube.etcd.kill()
    await rig.kubectl(['delete', 'configmap', 'app'])
    await eventually(async () => expect((await rig.data(CONFIG_MAPS, 'app')).a).toBe('0'))
    await kube.etcd.restart()
    await rig.writer.reconnect()
    await rig.writer.put('a', '1')
    await rig.settled()
    await run.settled()
  })
})
