import { describe, expect, test } from 'vitest'
import { WorkQueue } from '../../../src/operator/work-queue.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { noMetrics } from '../../../src/util/metrics.ts'
import { ManualClock } from '../../support/manual-clock.ts'

interface Job {
  readonly key: string
  readonly end: (againMs?: number) => void
  readonly fail: (error: Error) => void
}

/** A queue whose jobs end when the test says so. */
class Bench {
  readonly clock = new ManualClock()
  readonly jobs: Job[] = []
  readonly started: string[] = []
  readonly stop = new AbortController()
  readonly queue: WorkQueue
  readonly ended: Promise<void>

  constructor(concurrency = 2) {
    this.queue = new WorkQueue({
      name: 'test',
      concurrency,
      clock: this.clock,
      logger: silentLogger,
      metrics: noMetrics,
      reconcile: (key) => {
        this.started.push(key)
        const { promise, resolve, reject } = Promise.withResolvers<number | undefined>()
        this.jobs.push({ key, end: resolve, fail: reject })
        return promise
      },
    })
    this.ended = this.queue.run(this.stop.signal)
  }

  /** The oldest job. */
  take(): Job {
    const job = this.jobs.shift()
    if (job === undefined) throw new Error('nothing is worked on')
    return job
  }

  /** Lets everything that can go on go on. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < 20; turn++) await Promise.resolve()
  }
}

describe('WorkQueue', () => {
  test('works on as many keys at once as it may, first come first served', async () => {
    const bench = new Bench(2)
    for (const key of ['a', 'b', 'c', 'd']) bench.queue.add(key)
    expect(bench.started).toEqual(['a', 'b'])
    expect(bench.queue.depth).toBe(2)
    bench.take().end()
    await bench.settle()
    expect(bench.started).toEqual(['a', 'b', 'c'])
  })

  test('a key that waits is not added twice', () => {
    const bench = new Bench(1)
    for (const key of ['a', 'b', 'b', 'b']) bench.queue.add(key)
    expect(bench.queue.depth).toBe(1)
  })

  test('a key is never worked on twice at a time; what comes meanwhile is worked on once, afterwards', async () => {
    const bench = new Bench(4)
    bench.queue.add('a')
    bench.queue.add('a')
    bench.queue.add('a')
    expect(bench.started).toEqual(['a'])
    bench.take().end()
    await bench.settle()
    expect(bench.started).toEqual(['a', 'a'])
    bench.take().end()
    await bench.settle()
    expect(bench.started).toEqual(['a', 'a'])
  })

  test('a failed key is tried again, later and later, and others are not held up', async () => {
    const bench = new Bench(1)
    bench.queue.add('bad')
    bench.queue.add('good')
    bench.take().fail(new Error('no'))
    await bench.settle()
    expect(bench.started).toEqual(['bad', 'good'])
    bench.take().end()
    await bench.settle()
    bench.clock.advance(200)
    await bench.settle()
    expect(bench.started).toEqual(['bad', 'good', 'bad'])
  })

  test('a key comes back after the time that its work asks for, or when it is added before', async () => {
    const bench = new Bench()
    bench.queue.add('a')
    bench.take().end(1000)
    await bench.settle()
    bench.clock.advance(999)
    await bench.settle()
    expect(bench.started).toEqual(['a'])
    bench.queue.add('a')
    bench.take().end()
    await bench.settle()
    bench.clock.advance(1000)
    await bench.settle()
    expect(bench.started).toEqual(['a', 'a'])
  })

  test('addAfter keeps the earlier time', async () => {
    const bench = new Bench()
    bench.queue.addAfter('a', 100)
    bench.queue.addAfter('a', 50)
    bench.queue.addAfter('a', 500)
    bench.clock.advance(50)
    await bench.settle()
    expect(bench.started).toEqual(['a'])
    bench.take().end()
    await bench.settle()
    bench.clock.advance(500)
    await bench.settle()
    expect(bench.started).toEqual(['a'])
  })

  test('run ends once what is worked on has ended; nothing new begins', async () => {
    const bench = new Bench(1)
    bench.queue.add('a')
    bench.queue.add('b')
    bench.queue.addAfter('c', 10)
    bench.stop.abort()
    let isOver = false
    const over = bench.ended.then(() => {
      isOver = true
    })
    await bench.settle()
    expect(isOver).toBe(false)
    bench.take().end()
    await over
    bench.clock.advance(1000)
    await bench.settle()
    expect(bench.started).toEqual(['a'])
    expect(bench.clock.sleepers).toBe(0)
  })

  test('what is added before run waits for it', async () => {
    const started: string[] = []
    const stop = new AbortController()
    const queue = new WorkQueue({
      name: 'test',
      concurrency: 1,
      clock: new ManualClock(),
      logger: silentLogger,
      metrics: noMetrics,
      reconcile: async (key) => {
        started.push(key)
        return undefined
      },
    })
    queue.add('a')
    expect(started).toEqual([])
    const ended = queue.run(stop.signal)
    expect(started).toEqual(['a'])
    stop.abort()
    await ended
  })
})
