import { expect, test } from 'vitest'
import { Mirror } from '../../../src/mirror/mirror.ts'
import type { MergedBatch, Sink } from '../../../src/mirror/sink.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { noMetrics } from '../../../src/util/metrics.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { openClient } from '../../support/scripted-client.ts'
import { eventually } from '../../support/wait.ts'
import { Writer } from '../../support/writer.ts'
import { WRITTEN } from '../../support/written.ts'

/** A target that can take no publish while its gate is closed, and keeps the batches that it got. */
class GatedSink implements Sink {
  readonly batches: MergedBatch[] = []
  waits = 0
  #gate = Promise.resolve()

  /** Returns what opens the gate. */
  closeGate(): () => void {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#gate = promise
    return resolve
  }

  async open() {
    const { keyErrors } = WRITTEN
    return { position: undefined, published: undefined, keyErrors, totals: undefined, isSameConfig: true }
  }

  async restore({ pages, finish }: Parameters<Sink['restore']>[0]) {
    for await (const _ of pages);
    await finish()
    return WRITTEN
  }

  async ready() {
    this.waits += 1
    await this.#gate
  }

  async apply(batch: MergedBatch) {
    this.batches.push(batch)
    return WRITTEN
  }

  async advance() {}

  async verify() {
    return { sound: true }
  }

  async close() {}
}

test('a mirror merges what arrives while its target cannot publish into the publish that comes next', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  using writer = await Writer.open(etcd.endpoint, '/app/')
  using rpc = await openClient(etcd.endpoint)
  await writer.put('before')
  const sink = new GatedSink()
  const mirror = new Mirror({
    name: 'app',
    prefix: Buffer.from('/app/'),
    target: 'a test',
    maxStalenessMs: 0,
    verifyEveryMs: 0,
    keys: { include: ['**'], exclude: [], leased: 'Mirror' },
    limits: { maxKeys: 1000, maxBytes: 1_000_000, maxValueBytes: 1_000_000 },
    safety: { refuseEmpty: true, maxDeletePercent: 100, allowDeleteUpTo: 0 },
    resyncAfterReconnect: false,
    rpc,
    sink,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    beat() {},
  })
  const stop = new AbortController()
  const running = mirror.run(stop.signal)
  await mirror.synced

  // The first change after quiet waits for nothing.
  await writer.put('a', 'first')
  await eventually(() => expect(sink.batches).toHaveLength(1))

  const open = sink.closeGate()
  const waits = sink.waits
  await writer.put('a', 'second')
  await eventually(() => expect(sink.waits).toBeGreaterThan(waits))
  await writer.put('b', 'third')
  const revision = await writer.put('a', 'fourth')
  await eventually(() => expect(mirror.status().observedRevision).toBe(revision))
  expect(sink.batches).toHaveLength(1)
  open()
  await eventually(() => expect(mirror.status().appliedRevision).toBe(revision))
  expect(sink.batches).toHaveLength(2)
  const values = sink.batches[1]?.changes.map((change) => `${change.key} ${change.type === 'put' ? change.value : ''}`)
  expect(values?.toSorted()).toEqual(['/app/a fourth', '/app/b third'])

  stop.abort()
  await running
})
