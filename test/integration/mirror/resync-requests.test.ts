import { expect, onTestFinished, test } from 'vitest'
import { Mirror } from '../../../src/mirror/mirror.ts'
import type { OpenedSink, Sink } from '../../../src/mirror/sink.ts'
import { SinkError } from '../../../src/mirror/sink-error.ts'
import type { Position } from '../../../src/replication/position.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { noMetrics } from '../../../src/util/metrics.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { openClient } from '../../support/scripted-client.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { eventually } from '../../support/wait.ts'
import { Writer } from '../../support/writer.ts'
import { WRITTEN } from '../../support/written.ts'

/** A target that counts its snapshots, remembers where it stands, and can fail or wait. */
class CountingSink implements Sink {
  opened = 0
  /** Snapshots that were begun. */
  restores = 0
  /** Awaited by each call of that kind; what it rejects with fails the call. */
  readonly before: { [Call in 'open' | 'finish' | 'apply']?: (() => Promise<void>) | undefined } = {}
  #position: Position | undefined

  async open(): Promise<OpenedSink> {
    this.opened += 1
    await this.before.open?.()
    const published = this.#position && { revision: this.#position.revision, epoch: this.#position.epoch }
    const { keyErrors, totals } = WRITTEN
    return { position: this.#position, published, keyErrors, totals, isSameConfig: true }
  }

  async restore({ pages, finish }: Parameters<Sink['restore']>[0]) {
    this.restores += 1
    for await (const _ of pages);
    await this.before.finish?.()
    this.#position = (await finish()).position
    return WRITTEN
  }

  async ready() {}

  async apply({ position }: Parameters<Sink['apply']>[0]) {
    await this.before.apply?.()
    this.#position = position
    return WRITTEN
  }

  async advance(position: Position) {
    this.#position = position
  }

  async verify() {
    return { sound: true }
  }

  async close() {}
}

/** A mirror of one key that is running, by way of a proxy. */
async function makeRig({ resyncAfterReconnect = false } = {}) {
  const etcd = await startEtcd({ version: '3.6' })
  const proxy = await startTcpProxy(etcd.clientPort)
  const writer = await Writer.open(etcd.endpoint, '/app/')
  const rpc = await openClient(proxy.endpoint)
  const sink = new CountingSink()
  const stop = new AbortController()
  await writer.put('key')
  const mirror = new Mirror({
    name: 'app',
    prefix: Buffer.from('/app/'),
    target: 'a test',
    maxStalenessMs: 0,
    verifyEveryMs: 0,
    keys: { include: ['**'], exclude: [], leased: 'Mirror' },
    limits: { maxKeys: 1000, maxBytes: 1_000_000, maxValueBytes: 1_000_000 },
    safety: { refuseEmpty: true, maxDeletePercent: 100, allowDeleteUpTo: 0 },
    resyncAfterReconnect,
    rpc,
    sink,
    clock: systemClock,
    logger: silentLogger,
    metrics: noMetrics,
    beat() {},
  })
  const ended = { running: Promise.resolve() }
  onTestFinished(async () => {
    stop.abort()
    await ended.running
    rpc.close()
    writer[Symbol.dispose]()
    await proxy[Symbol.asyncDispose]()
    await etcd[Symbol.asyncDispose]()
  })
  const start = () => {
    ended.running = mirror.run(stop.signal)
  }
  return { proxy, writer, sink, mirror, start }
}

function broken(): Promise<never> {
  return Promise.reject(new SinkError('TargetBroken', 'a test', 'Cannot write the target: it fails on purpose'))
}

/** A call that waits, at the longest until the test ends. */
function gate() {
  const { promise, resolve } = Promise.withResolvers<void>()
  onTestFinished(() => resolve())
  return { wait: () => promise, open: resolve }
}

test('a snapshot that is asked for while the target is opened again is taken', async () => {
  const { writer, sink, mirror, start } = await makeRig()
  start()
  await mirror.synced
  const opening = gate()
  sink.before.open = opening.wait
  sink.before.apply = broken
  await writer.put('key')
  await eventually(() => expect(sink.opened).toBe(2))
  mirror.requestResync('request')
  sink.before.apply = undefined
  opening.open()
  await eventually(() => expect(sink.restores).toBe(2))
})

test('a snapshot that is asked for is taken although the target failed meanwhile and has a position', async () => {
  const { sink, mirror, start } = await makeRig()
  start()
  await mirror.synced
  sink.before.finish = broken
  mirror.requestResync('request')
  await eventually(() => expect(sink.opened).toBe(2))
  sink.before.finish = undefined
  await eventually(() => expect(sink.restores).toBeGreaterThan(2))
})

test('a snapshot that is asked for while one is taken comes after it', async () => {
  const { sink, mirror, start } = await makeRig()
  const finishing = gate()
  sink.before.finish = finishing.wait
  start()
  await eventually(() => expect(sink.restores).toBe(1))
  mirror.requestResync('verify')
  finishing.open()
  await eventually(() => expect(sink.restores).toBe(2))
  expect(sink.opened).toBe(1)
  expect(mirror.status().published).toBe(true)
})

test.each([false, true])(
  'a watch that is cut while the target still writes a snapshot does not begin it anew, resyncAfterReconnect: %s',
  async (resyncAfterReconnect) => {
    const { proxy, sink, mirror, start } = await makeRig({ resyncAfterReconnect })
    const finishing = gate()
    sink.before.finish = finishing.wait
    start()
    await eventually(() => expect([sink.restores, mirror.status().sourceConnected]).toEqual([1, true]))
    proxy.refuse()
    proxy.cut()
    await eventually(() => expect(mirror.status().sourceConnected).toBe(false))
    await proxy.accept()
    await eventually(() => expect(mirror.status().sourceConnected).toBe(true))
    finishing.open()
    await mirror.synced
    expect(sink.restores).toBe(1)
  },
)
