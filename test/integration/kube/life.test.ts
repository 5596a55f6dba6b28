import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { indexName } from '../../../src/targets/objects/index-object.ts'
import type { KubeRig, KubeRun } from '../../support/kube-rig.ts'
import { useKube } from '../../support/kube-servers.ts'
import { EVERY_TARGET } from '../../support/kube-targets.ts'
import { eventually } from '../../support/wait.ts'

const MANY = Array.from({ length: 300 }, (_, index) => `many/key-${index}`)

describe.each(['1.34', '1.37'] as const)('Kubernetes %s', (minor) => {
  const kube = useKube({ minor })

  describe.each(EVERY_TARGET)('target $kind', (target) => {
    // One mirror lives through all of it.
    let rig: KubeRig
    let run: KubeRun
    const written = () => run.metric('etcd_mirror_objects_total', { result: 'written' })
    const applied = () => run.metric('etcd_mirror_kube_requests_total', { method: 'PATCH' })

    /** The position is written some time after the objects. */
    const indexed = async () => {
      const index = await rig.get(CONFIG_MAPS, indexName(target.mirror))
      const revision = Number(index?.metadata.annotations?.['etcdmirror.dev/revision'])
      expect(revision).toBeGreaterThanOrEqual(rig.writer.log.lastRevision)
    }

    beforeAll(async () => {
      rig = await kube.rig([target])
      await rig.writer.txn({ a: '1', 'b/c': '2', gone: '3' })
      run = await rig.run()
    })
    afterAll(() => rig?.[Symbol.asyncDispose]())

    test('create', async () => {
      await rig.settled()
      const { keys, published } = await run.settled()
      expect([keys, published]).toEqual([3, true])
    })

    test('update', async () => {
      const before = await rig.holder('a')
      await rig.writer.put('a', 'next')
      expect((await rig.holder('a')).metadata.uid).toBe(before.metadata.uid)
    })

    test('delete', async () => {
      await rig.writer.delete('gone')
      const objects = await rig.settled()
      if (target.isMany) expect(objects.map(({ metadata }) => metadata.name)).not.toContain(target.objectOf('gone'))
    })

    test('txn over many keys', async () => {
      await rig.writer.txn({ ...Object.fromEntries(MANY.map((name) => [name, true])), a: undefined, 'b/c': 'last' })
      await rig.settled()
      const { publishedRevision } = await run.settled()
      expect(publishedRevision).toBe(rig.writer.log.lastRevision)
      await rig.writer.deletePrefix('many/key-1')
      await rig.writer.put('a', 'again')
      await rig.settled()
    })

    test('resync', async () => {
      await run.settled()
      if (target.isMany) await eventually(indexed, { timeoutMs: 60_000 })
      const before = await applied()
      run.process.signal('SIGHUP')
      await eventually(
        async () => expect(await run.metric('etcd_mirror_resync_total', { reason: 'request' })).toBe(1),
        { timeoutMs: 60_000 },
      )
      await run.settled()
      // What is equal already is not written again, nor that it is equal still.
      expect(await applied()).toBe(before)
    })

    test('restart', async () => {
      expect((await run.process.kill()).code).toBe(0)
      await rig.writer.txn({ a: 'while it was down', 'b/c': undefined, 'd/e': 'new' })
      run = await rig.run()
      await rig.settled()
      await run.settled()
      expect(await run.metric('etcd_mirror_resync_total')).toBe(0)
      expect(await written()).toBe(target.isMany ? 2 : 1)
    })

    test('drift', async () => {
      await rig.edit('a', 'edited')
      await rig.settled()
      const before = await rig.holder('d/e')
      await rig.remove('d/e')
      await eventually(async () => expect((await rig.holder('d/e')).metadata.uid).not.toBe(before.metadata.uid), {
        timeoutMs: 60_000,
      })
      await eventually(async () => expect(await run.metric('etcd_mirror_drift_detected_total')).toBeGreaterThan(0))
    })

    test('conflict', async () => {
      await rig.claim('a', 'theirs')
      expect((await run.failing('TargetConflict')).lastError?.message).toMatch(/"gitops"|withheld/)
      await rig.writer.put('other', 'x')
      const name = target.nameOf('a')
      if (target.isMany) {
        // One object does not stop the others.
        await eventually(async () => expect((await shown()).get('other')?.toString()).toBe('x'), { timeoutMs: 60_000 })
      }
      expect((await shown()).get(name)?.toString()).toBe('theirs')
      await rig.claim('a', undefined)
      await rig.settled()
      await run.until((status) => expect(status.lastError).toBeNull())
    })
    const shown = async () => target.shown(await rig.list(target.resource), rig.prefix)

    test('too large', async () => {
      // As JSON twice as long.
      const large = Buffer.alloc(1 << 20, '\n')
      await rig.writer.txn({ large, small: 'x' })
      if (target.isMany) {
        const { keyErrors } = await run.until((status) => expect(status.keyErrors.count).toBe(1))
        expect(keyErrors.examples?.[0]?.key).toContain('large')
        await eventually(async () => expect((await shown()).has('small')).toBe(true), { timeoutMs: 60_000 })
      } else {
        await run.failing('TargetTooLarge')
        expect((await shown()).has('small')).toBe(false)
      }
      await rig.writer.put('large', 'small')
      await rig.settled()
      await run.until(({ lastError, keyErrors }) => expect([lastError, keyErrors.count]).toEqual([null, 0]))
    })

    test('invalid name', async () => {
      await rig.writer.txn({ 'No Name / at all': 'x', valid: 'x' })
      if (target.isMany) {
        await rig.settled()
        await run.settled()
        expect((await run.status()).keyErrors.count).toBe(0)
      } else {
        const { keyErrors } = await run.until((status) => expect(status.keyErrors.count).toBe(1))
        expect(keyErrors.examples?.[0]?.reason).toContain('cannot be the name of a data key')
        await eventually(async () => expect((await shown()).has('valid')).toBe(true), { timeoutMs: 60_000 })
      }
    })

    // The oldest release has the newest one's answer to load.
    if (minor === '1.37') {
      test('5,000 keys', { timeout: 400_000 }, async () => {
        await rig.writer.delete('No Name / at all')
        await rig.writer.fill(Array.from({ length: 5000 }, (_, index) => `service-${index % 50}/setting.${index}`))
        await run.settled(380_000)
        await rig.settled()
        expect((await run.process.kill()).code).toBe(0)
        await rig.writer.put('service-1/setting.1', 'changed')
        run = await rig.run()
        await run.settled()
        await rig.settled()
        expect(await run.metric('etcd_mirror_resync_total')).toBe(0)
        expect(await written()).toBe(1)
      })
    }

    test('foreign object', async () => {
      await using other = await kube.rig([target])
      const theirs = await other.occupy('a')
      await other.writer.txn({ a: '1', b: '2' })
      const refused = await other.run()
      expect((await refused.failing('TargetForeign')).published).toBe(false)
      if (target.isMany) {
        const names = async () => (await other.list(target.resource)).map(({ metadata }) => metadata.name)
        await eventually(async () => expect(await names()).toContain(target.objectOf('b')), { timeoutMs: 60_000 })
      }
      expect(await other.get(target.resource, target.objectOf('a'))).toEqual(theirs)
      await other.remove('a')
      await other.settled()
      await refused.settled()
    })
  })
})
