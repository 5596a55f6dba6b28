import { describe, expect, test } from 'vitest'
import { createMetrics } from '../../../src/observe/metrics-registry.ts'
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
  readonly registry = createMetrics()
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
      metrics: this.registry.metrics,
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

  /** What the metrics page says of the queue and its controller, without buckets. */
  async page(): Promise<Readonly<Record<string, number>>> {
    const lines = (await this.registry.render()).split('\n')
    const series = lines.map((line) =>
      /^(?:workqueue|controller_runtime)_(\S+?)\{(?:name|controller)="test"(.*)\} (\S+)$/.exec(line),
    )
    return Object.fromEntries(
      series.filter((found) => found !== null).map(([, name, more, value]) => [`${name}${more}`, Number(value)]),
    )
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

  test('who only looks whether there is something to do does not cut short how long a failed key waits', async () => {
    const bench = new Bench()
    const look = async () => {
      bench.queue.addUnlessRetrying('a')
      await bench.settle()
    }
    await look()
    bench.take().fail(new Error('no'))
    await bench.settle()
    await look()
    expect(bench.started).toEqual(['a'])
    bench.clock.advance(200)
    await bench.settle()
    expect(bench.started).toEqual(['a', 'a'])
    await look()
    bench.take().end(1000)
    await bench.settle()
    expect(bench.started).toEqual(['a', 'a'])
    await look()
    expect(bench.started).toEqual(['a', 'a', 'a'])
    bench.take().fail(new Error('no'))
    await bench.settle()
    bench.queue.add('a')
    expect(bench.started).toEqual(['a', 'a', 'a', 'a'])
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
    bench.queue.add('a')
    expect(await bench.page()).toMatchObject({ depth: 0, active_workers: 0 })
  })

  test('the metrics say how much waits and is worked on, how long, and what came of it', async () => {
    const bench = new Bench(2)
    expect(await bench.page()).toEqual({
      depth: 0,
      adds_total: 0,
      retries_total: 0,
      active_workers: 0,
      max_concurrent_reconciles: 2,
      'reconcile_total,result="success"': 0,
      'reconcile_total,result="error"': 0,
      reconcile_errors_total: 0,
    })
    for (const key of ['a', 'b', 'c', 'c']) bench.queue.add(key)
    bench.queue.add('a')
    expect(await bench.page()).toMatchObject({ depth: 1, adds_total: 3, active_workers: 2 })
    bench.clock.advance(3000)
    bench.take().end()
    bench.take().fail(new Error('no'))
    await bench.settle()
    const again = { depth: 0, active_workers: 2 }
    expect(await bench.page()).toMatchObject({
      ...again,
      adds_total: 4,
      retries_total: 1,
      queue_duration_seconds_sum: 3,
    })
    bench.clock.advance(200)
    await bench.settle()
    expect(await bench.page()).toMatchObject({ depth: 1, adds_total: 5, active_workers: 2 })
    for (let job = 0; job < 3; job++) {
      bench.take().end()
      await bench.settle()
    }
    expect(await bench.page()).toMatchObject({
      depth: 0,
      adds_total: 5,
      retries_total: 1,
      active_workers: 0,
      queue_duration_seconds_count: 5,
      queue_duration_seconds_sum: 3,
      work_duration_seconds_count: 5,
      work_duration_seconds_sum: 6.4,
      'reconcile_total,result="success"': 4,
      'reconcile_total,result="error"': 1,
      reconcile_errors_total: 1,
      reconcile_time_seconds_count: 5,
      reconcile_time_seconds_sum: 6.4,
    })
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
