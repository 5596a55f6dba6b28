import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { enforcePolicy } from '../../support/admission-policy.ts'
import { startHoldingWebhook } from '../../support/holding-webhook.ts'
import { NAMESPACES } from '../../support/kube-api.ts'
import { KubeControllerManager } from '../../support/kube-controller-manager.ts'
import { type KubeProxy, startKubeProxy } from '../../support/kube-proxy.ts'
import type { KubeRig, KubeRun } from '../../support/kube-rig.ts'
import { useKube } from '../../support/kube-servers.ts'
import { EVERY_TARGET, SETTINGS_CRD, type TestTarget } from '../../support/kube-targets.ts'
import { eventually } from '../../support/wait.ts'

const patiently = { timeoutMs: 60_000 }

/** Every target, each by a mirror of one process. */
class Mirrors implements AsyncDisposable {
  readonly rig: KubeRig
  run: KubeRun
  #count = 0

  static async start(rig: KubeRig): Promise<Mirrors> {
    await rig.writer.txn({ a: '1', 'b/c': '2' })
    const mirrors = new Mirrors(rig, await rig.run())
    for (const target of EVERY_TARGET) await mirrors.settled(target)
    return mirrors
  }

  constructor(rig: KubeRig, run: KubeRun) {
    this.rig = rig
    this.run = run
  }

  /** One transaction that changes, makes and deletes. */
  async write(): Promise<void> {
    this.#count += 1
    await this.rig.writer.txn({ a: true, [`k/${this.#count}`]: true, [`k/${this.#count - 2}`]: undefined })
  }

  /** Everything that was written is shown, and nothing is wrong. */
  async settled(target: TestTarget): Promise<void> {
    await this.rig.settled(target)
    await this.run.of(target).settled()
    await this.run.of(target).until(({ lastError }) => expect(lastError).toBeNull())
  }

  async editEach(): Promise<void> {
    for (const target of EVERY_TARGET) await this.rig.edit('a', 'edited', target)
  }

  async removeEach(): Promise<void> {
    for (const target of EVERY_TARGET) await this.rig.remove('a', target)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.rig[Symbol.asyncDispose]()
  }
}

describe('mirrors that live through it all', () => {
  const kube = useKube()
  let proxy: KubeProxy
  let mirrors: Mirrors

  beforeAll(async () => {
    proxy = await startKubeProxy(kube.api)
    mirrors = await Mirrors.start(await kube.rig(EVERY_TARGET, { server: proxy.server }))
  })
  afterAll(async () => {
    await mirrors?.[Symbol.asyncDispose]()
    await proxy?.[Symbol.asyncDispose]()
  })

  describe('API server killed and restarted', () => {
    beforeAll(async () => {
      await kube.api.kill()
      await mirrors.write()
      await eventually(
        async () => expect((await mirrors.run.status()).lastError?.reason).toBe('TargetNotWritable'),
        patiently,
      )
      await mirrors.write()
      await kube.api.restart()
    })

    test.each(EVERY_TARGET)('$kind', (target) => mirrors.settled(target))
  })

  describe('etcd killed', () => {
    beforeAll(async () => {
      await kube.etcd.kill()
      await mirrors.removeEach()
    })

    test.each(EVERY_TARGET.filter(({ isMany }) => !isMany))('$kind: put right meanwhile', async (target) => {
      await mirrors.rig.settled(target)
    })

    describe('and restarted', () => {
      beforeAll(async () => {
        await kube.etcd.restart()
        await mirrors.rig.writer.reconnect()
        await mirrors.write()
      })

      test.each(EVERY_TARGET)('$kind', (target) => mirrors.settled(target))
    })
  })

  describe('mirror killed', () => {
    beforeAll(async () => {
      await mirrors.write()
      await mirrors.run.process.kill('SIGKILL')
      await mirrors.write()
      mirrors.run = await mirrors.rig.run()
    })

    test.each(EVERY_TARGET)('$kind', async (target) => {
      await mirrors.settled(target)
      const { mirror, isMany } = target
      // One object holds its position; that of many objects may be older than they are.
      const resyncs = await mirrors.run.metric('etcd_mirror_resync_total', { mirror })
      expect(resyncs).toBeLessThanOrEqual(isMany ? 1 : 0)
    })
  })

  describe('410 Gone', () => {
    beforeAll(async () => {
      const before = proxy.gone
      proxy.close()
      await mirrors.editEach()
      // Its etcd loses the history that the watches would go on from.
      await kube.api.kill()
      for (let index = 0; index < 50; index++) await kube.api.etcd.etcdctl(['put', '/other', String(index)])
      const { header } = JSON.parse(await kube.api.etcd.etcdctl(['get', '/other', '-w', 'json']))
      await kube.api.etcd.etcdctl(['compact', String(header.revision)])
      await kube.api.restart()
      proxy.open()
      await eventually(() => expect(proxy.gone).toBeGreaterThanOrEqual(before + EVERY_TARGET.length), patiently)
    })

    test.each(EVERY_TARGET)('$kind', (target) => mirrors.settled(target))
  })

  describe('watch expiry', () => {
    beforeAll(() => {
      proxy.watchSeconds = 1
      proxy.cut()
    })
    afterAll(() => {
      proxy.watchSeconds = undefined
    })

    test.each(EVERY_TARGET)('$kind', async (target) => {
      const { plural } = target.resource
      const before = proxy.expired(plural)
      await eventually(() => expect(proxy.expired(plural)).toBeGreaterThan(before + 1), patiently)
      await mirrors.rig.edit('a', 'edited', target)
      await mirrors.settled(target)
    })
  })

  describe('slow admission webhook', () => {
    test.each(EVERY_TARGET)('$kind', async (target) => {
      const { rig, run } = mirrors
      const { mirror, resource, isMany } = target
      const written = () => run.metric('etcd_mirror_objects_total', { mirror, result: 'written' })
      await using webhook = await startHoldingWebhook(kube.api, { namespace: rig.namespace, resources: [resource] })
      const change = () => rig.writer.txn({ a: true, 'b/c': true })
      // The API server asks a new webhook after a while.
      await eventually(async () => {
        await change()
        await Promise.race([webhook.asked, sleep(100).then(() => Promise.reject(new Error('not asked yet')))])
      }, patiently)
      const unheld = await written()
      for (let index = 0; index < 30; index++) await change()
      await run.of(target).until(({ observedRevision }) => {
        expect(observedRevision).toBeGreaterThanOrEqual(rig.writer.log.lastRevision)
      })
      webhook.release()
      await mirrors.settled(target)
      // What came while a write was under way goes into the next one.
      expect((await written()) - unheld).toBeLessThan(isMany ? 20 : 10)
    })
  })

  describe('refused by an admission policy', () => {
    let policy: AsyncDisposable

    beforeAll(async () => {
      policy = await enforcePolicy(kube.api, mirrors.rig.namespace)
      await mirrors.rig.writer.txn({ refused: 'hunter2', admitted: 'x' })
    })
    afterAll(() => policy?.[Symbol.asyncDispose]())
    const named = "ValidatingAdmissionPolicy 'no-hunter2'"

    test.each(EVERY_TARGET.filter(({ isMany }) => !isMany))('$kind: nothing is written', async (target) => {
      const { lastError } = await mirrors.run.of(target).failing('TargetNotWritable', named)
      expect(lastError?.message).not.toContain('hunter2 is weak')
      expect(lastError?.hint).toBeNull()
    })

    test.each(EVERY_TARGET.filter(({ isMany }) => isMany))('$kind: that key alone', async (target) => {
      const { keyErrors } = await mirrors.run.of(target).until((status) => expect(status.keyErrors.count).toBe(1))
      expect(keyErrors.examples?.[0]?.reason).toContain(named)
      expect(keyErrors.examples?.[0]?.reason).not.toContain('hunter2 is weak')
      const admitted = () => mirrors.rig.get(target.resource, target.objectOf('admitted'))
      await eventually(async () => expect(await admitted()).toBeDefined(), patiently)
    })

    describe('and taken back', () => {
      beforeAll(() => mirrors.rig.writer.delete('refused'))

      test.each(EVERY_TARGET)('$kind', (target) => mirrors.settled(target))
    })
  })

  describe('CRD removed', () => {
    const hasCrd = ({ isMany }: TestTarget) => isMany

    beforeAll(async () => {
      await kube.api.kubectl(['delete', 'crd', 'etcdkeys.etcdmirror.dev', SETTINGS_CRD.metadata.name])
      await mirrors.write()
    })

    test.each(EVERY_TARGET.filter((target) => !hasCrd(target)))('$kind: goes on', (target) => mirrors.settled(target))

    test.each(EVERY_TARGET.filter(hasCrd))('$kind: waits', async (target) => {
      const { lastError } = await mirrors.run.of(target).failing('TargetNotWritable', 'it serves no such kind')
      expect(lastError?.hint).toContain('CRD')
    })

    test.each(EVERY_TARGET.filter(hasCrd))('$kind: goes on when it is back', async (target) => {
      await kube.api.define([SETTINGS_CRD])
      await mirrors.settled(target)
    })
  })

  describe('namespace terminating', () => {
    beforeAll(async () => {
      // Without a controller manager it stays like this, as one with finalizers does.
      await kube.api.kubectl(['delete', 'namespace', mirrors.rig.namespace, '--wait=false'])
      await mirrors.removeEach()
      await mirrors.write()
    })

    test.each(EVERY_TARGET)('$kind', async (target) => {
      const { lastError } = await mirrors.run.of(target).failing('TargetNotWritable', 'is being terminated')
      expect(lastError?.hint).toBeNull()
      expect(await mirrors.rig.get(target.resource, target.objectOf('a'))).toBeUndefined()
    })

    describe('gone, and made again', () => {
      beforeAll(async () => {
        await using _ = await KubeControllerManager.start(kube.api)
        const name = mirrors.rig.namespace
        const ref = { resource: NAMESPACES, namespace: undefined, name }
        const find = () => mirrors.rig.admin.get(ref, new AbortController().signal)
        await eventually(async () => expect(await find()).toBeUndefined(), patiently)
        await mirrors.rig.prepare()
      })

      test.each(EVERY_TARGET)('$kind', (target) => mirrors.settled(target))
    })
  })
})

describe('429', () => {
  // One change at a time; who comes meanwhile is sent away, and told when to come again.
  const kube = useKube({ flags: ['--enable-priority-and-fairness=false', '--max-mutating-requests-inflight=1'] })
  let mirrors: Mirrors

  beforeAll(async () => {
    mirrors = await Mirrors.start(await kube.rig(EVERY_TARGET))
    await mirrors.rig.writer.fill(Array.from({ length: 100 }, (_, index) => `many/${index}`))
  })
  afterAll(() => mirrors?.[Symbol.asyncDispose]())

  test.each(EVERY_TARGET)('$kind', async (target) => {
    await mirrors.settled(target)
    expect(await mirrors.run.metric('etcd_mirror_kube_requests_total', { result: 'KubeThrottled' })).toBeGreaterThan(0)
  })
})
