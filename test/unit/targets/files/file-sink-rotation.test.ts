import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { describe, expect, test } from 'vitest'
import type { Sink } from '../../../../src/mirror/sink.ts'
import type { Clock } from '../../../../src/util/clock.ts'
import { fileError, interceptedFiles } from './failing-files.ts'
import {
  apply,
  fileSink,
  options,
  position,
  publishedFiles,
  publishedName,
  publishedTree,
  restore,
  tempDirectory,
  until,
} from './support.ts'

/** Stands still unless it is moved. */
class FakeClock implements Clock {
  #now = 1000
  readonly #sleepers = new Set<() => void>()

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  get sleepers(): number {
    return this.#sleepers.size
  }

  sleep(ms: number, signal: AbortSignal): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const end = this.#now + ms
    const wake = () => {
      if (this.#now < end) return
      this.#sleepers.delete(wake)
      resolve()
    }
    this.#sleepers.add(wake)
    signal.addEventListener('abort', () => {
      this.#sleepers.delete(wake)
      reject(signal.reason)
    })
    wake()
    return promise
  }

  move(ms: number): void {
    this.#now += ms
    for (const wake of this.#sleepers) wake()
  }
}

const GRACE = 700
/** How far apart publishes are under load: seven of eight trees go round in one grace. */
const GAP = 100

async function published(clock: Clock, given: Parameters<typeof fileSink>[1] = {}) {
  const root = tempDirectory()
  const sink = fileSink(root, { clock, readerGraceMs: GRACE, ...given })
  await sink.open(options)
  await restore(sink, { a: '10', 'd/b': '1' }, 10)
  return { root, sink }
}

/** Publishes revisions 11 to 17 as fast as they may follow each other: then none of the eight trees is free. */
async function useAllTrees(clock: FakeClock, sink: Sink): Promise<void> {
  for (let revision = 11; revision < 18; revision += 1) {
    await apply(sink, { a: String(revision) }, revision)
    if (revision < 17) clock.move(GAP)
  }
}

describe('file sink, trees in rotation', () => {
  test('leaves a retired tree untouched until the grace of its readers is over, then takes its paths away', async () => {
    const clock = new FakeClock()
    const { root, sink } = await published(clock)
    const old = publishedTree(root)
    await apply(sink, { a: '11' }, 11)
    clock.move(GRACE - 1)
    await apply(sink, { a: '12' }, 12)
    expect(readFileSync(join(old, 'a'), 'utf8')).toBe('10')
    clock.move(GRACE)
    await apply(sink, { a: '13' }, 13)
    await apply(sink, { a: '14' }, 14)
    await apply(sink, { a: '15' }, 15)
    expect(publishedFiles(root)).toEqual({ a: '15', 'd/b': '1' })
    expect(existsSync(join(old, 'a'))).toBe(false)
  })

  test('makes more trees while none is free, eight in all, and then waits for the grace of one', async () => {
    const clock = new FakeClock()
    const { root, sink } = await published(clock)
    await useAllTrees(clock, sink)
    expect(readdirSync(join(root, '.revisions'))).toHaveLength(8)
    let isDone = false
    const waiting = apply(sink, { a: '18' }, 18).then(() => {
      isDone = true
    })
    await until(() => clock.sleepers > 0)
    for (let turn = 0; turn < 10; turn += 1) await nextTurn()
    expect(isDone).toBe(false)
    expect(publishedName(root)).toBe('17')
    clock.move(GRACE)
    await waiting
    expect(publishedFiles(root)).toEqual({ a: '18', 'd/b': '1' })
    expect(readdirSync(join(root, '.revisions'))).toHaveLength(8)
  })

  test('stops waiting for a free tree when it is aborted, with the reason as it is, and works the next time', async () => {
    const clock = new FakeClock()
    const { root, sink } = await published(clock)
    await useAllTrees(clock, sink)
    const abort = new AbortController()
    const reason = new Error('shutting down')
    const waiting = sink.apply(
      { changes: [{ type: 'delete', key: Buffer.from('/config/a'), modRevision: 18 }], position: position(18) },
      { signal: abort.signal },
    )
    await until(() => clock.sleepers > 0)
    abort.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    expect(clock.sleepers).toBe(0)
    clock.move(GRACE)
    await apply(sink, { a: undefined }, 18)
    expect(publishedFiles(root)).toEqual({ 'd/b': '1' })
  })

  test('publishes the first change after quiet without making a tree', async () => {
    const clock = new FakeClock()
    let links = 0
    const files = interceptedFiles((method) => {
      if (method === 'link') links += 1
    })
    const { sink } = await published(clock, { files })
    await apply(sink, { a: '11' }, 11)
    links = 0
    clock.move(GRACE)
    await apply(sink, { a: '12' }, 12)
    // The one path that the retired tree had missed.
    expect(links).toBe(1)
  })

  test('writes for a change only what the change needs, whatever else the tree holds', async () => {
    const clock = new FakeClock()
    let calls = 0
    const files = interceptedFiles(() => {
      calls += 1
    })
    const counts = []
    for (const size of [10, 2000]) {
      const root = tempDirectory()
      const sink = fileSink(root, { clock, files })
      await sink.open(options)
      await restore(sink, Object.fromEntries(Array.from({ length: size }, (_, index) => [`k${index}`, '1'])), 10)
      await apply(sink, { k1: '2' }, 11)
      await apply(sink, { k1: '3' }, 12)
      calls = 0
      await apply(sink, { k1: '4' }, 13)
      counts.push(calls)
    }
    expect(counts[0]).toBe(counts[1])
  })

  test('publishes a few changes at once and a load evenly, instead of using up all trees and pausing', async () => {
    const clock = new FakeClock()
    const { root, sink } = await published(clock)
    for (let revision = 11; revision < 15; revision += 1) await apply(sink, { a: String(revision) }, revision)
    const next = apply(sink, { a: '15' }, 15)
    await until(() => clock.sleepers > 0)
    expect(publishedName(root)).toBe('14')
    clock.move(GAP)
    await next
    expect(publishedName(root)).toBe('15')
  })

  test('ready waits for what apply would wait for, takes nothing, and resolves at once after quiet', async () => {
    const clock = new FakeClock()
    const { root, sink } = await published(clock)
    for (let revision = 11; revision < 15; revision += 1) {
      await sink.ready(options)
      await apply(sink, { a: String(revision) }, revision)
    }
    let isReady = false
    const waiting = sink.ready(options).then(() => {
      isReady = true
    })
    await until(() => clock.sleepers > 0)
    for (let turn = 0; turn < 10; turn += 1) await nextTurn()
    expect(isReady).toBe(false)
    clock.move(GAP)
    await waiting
    await sink.ready(options)
    await apply(sink, { a: '15' }, 15)
    expect(publishedName(root)).toBe('15')
  })

  test('ready ends with the abort reason, and leaves other failures to apply', async () => {
    const clock = new FakeClock()
    let isFull = false
    const files = interceptedFiles((method) => {
      if (isFull && method === 'mkdir') throw fileError('ENOSPC', 'mkdir')
    })
    const { sink } = await published(clock, { files, readerGraceMs: 0 })
    await until(() => clock.sleepers === 0)
    const reason = new Error('shutting down')
    await expect(sink.ready({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    isFull = true
    await sink.ready(options)
    await sink.close()
    await sink.ready(options)
  })

  test('removes trees that the load has not needed for a minute, all but one', async () => {
    const clock = new FakeClock()
    const { root, sink } = await published(clock)
    await useAllTrees(clock, sink)
    clock.move(60_000 + GRACE)
    await apply(sink, { a: '18' }, 18)
    await until(() => readdirSync(join(root, '.revisions')).length === 2)
    expect(readdirSync(join(root, '.revisions')).sort()).toEqual(['17', '18'])
  })

  test('keeps one spare tree however often a snapshot finds nothing new', async () => {
    const clock = new FakeClock()
    const { root, sink } = await published(clock)
    for (let revision = 11; revision < 16; revision += 1) await restore(sink, { a: '10', 'd/b': '1' }, revision)
    await until(() => readdirSync(join(root, '.etcd-mirror', 'work')).length === 1)
    expect(readdirSync(join(root, '.revisions'))).toEqual(['10'])
  })

  test('publishes when a grace is over although no more tree can be made', async () => {
    const clock = new FakeClock()
    let isFull = false
    const files = interceptedFiles((method) => {
      if (isFull && method === 'mkdir') throw fileError('ENOSPC', 'mkdir')
    })
    const { root, sink } = await published(clock, { files })
    await apply(sink, { a: '11' }, 11)
    isFull = true
    const waiting = apply(sink, { a: '12' }, 12)
    await until(() => clock.sleepers > 0)
    for (let turn = 0; turn < 10; turn += 1) await nextTurn()
    expect(publishedName(root)).toBe('11')
    clock.move(GRACE)
    await waiting
    expect(publishedFiles(root)).toEqual({ a: '12', 'd/b': '1' })
  })

  test('drops a tree that missed too much and makes another, off the publish path', async () => {
    const clock = new FakeClock()
    let directories = 0
    const files = interceptedFiles((method) => {
      if (method === 'mkdir') directories += 1
    })
    const { root, sink } = await published(clock, { files })
    const old = publishedTree(root)
    const keys = Array.from({ length: 1001 }, (_, index) => `k${index}`)
    await until(() => readdirSync(join(root, '.etcd-mirror', 'work')).length === 1)
    directories = 0
    await apply(sink, Object.fromEntries(keys.map((key) => [key, '2'])), 11)
    await until(() => directories === 2)
    expect(readFileSync(join(old, 'a'), 'utf8')).toBe('10')
    clock.move(GRACE)
    await until(() => !existsSync(old))
    await apply(sink, { a: '12' }, 12)
    expect(Object.keys(publishedFiles(root))).toHaveLength(1003)
    expect(directories).toBe(2)
  })

  test('publishes while one more tree is made, and catches that one up afterwards', async () => {
    const clock = new FakeClock()
    let links = 0
    const files = interceptedFiles((method) => {
      if (method === 'link') links += 1
    })
    const root = tempDirectory()
    const sink = fileSink(root, { clock, readerGraceMs: GRACE, files })
    await sink.open(options)
    const state = Object.fromEntries(Array.from({ length: 5000 }, (_, index) => [`k${index}`, '10']))
    await restore(sink, state, 10)
    await apply(sink, { k0: '11' }, 11)
    links = 0
    // No tree is free: a copy of revision 11 begins. Then revision 10 becomes free, and is the sooner one.
    const publishing = apply(sink, { k0: '12', k4999: '12' }, 12)
    await until(() => links > 0)
    clock.move(GRACE)
    await publishing
    expect(links).toBeLessThan(5000)
    await until(() => links > 5000)
    expect(readdirSync(join(root, '.revisions'))).toEqual(['11', '12'])
    await apply(sink, { k1: '13' }, 13)
    expect(readdirSync(join(root, '.revisions'))).toEqual(['11', '12', '13'])
    expect(publishedFiles(root)).toEqual({ ...state, k0: '12', k4999: '12', k1: '13' })
  })

  test('removes trees that an ended process left when the grace of their readers is over, without a publish', async () => {
    const clock = new FakeClock()
    const { root, sink } = await published(clock)
    await apply(sink, { a: '11' }, 11)
    await sink.close()
    const again = fileSink(root, { clock, readerGraceMs: GRACE })
    await again.open(options)
    await until(() => clock.sleepers > 0)
    expect(readdirSync(join(root, '.revisions'))).toEqual(['10', '11'])
    clock.move(GRACE)
    await until(() => readdirSync(join(root, '.revisions')).length === 1)
    expect(publishedFiles(root)).toEqual({ a: '11', 'd/b': '1' })
  })

  test('shows a looping reader nothing but whole revisions, in order', async () => {
    const clock = new FakeClock()
    const root = tempDirectory()
    const seen: string[] = []
    // A reader looks at every instant between two file calls.
    const files = interceptedFiles(() => {
      if (!existsSync(join(root, 'current'))) return
      const values = new Set(Object.values(publishedFiles(root)))
      expect(values.size).toBe(1)
      const [value = ''] = values
      if (seen.at(-1) !== value) seen.push(value)
    })
    const sink = fileSink(root, { clock, files })
    await sink.open(options)
    await restore(sink, { a: '10', 'b/c': '10', 'd/e/f': '10' }, 10)
    for (let revision = 11; revision < 211; revision += 1) {
      const value = String(revision)
      await apply(
        sink,
        { a: value, 'b/c': value, 'd/e/f': value, [`x${revision % 3}`]: value, [`x${(revision + 2) % 3}`]: undefined },
        revision,
      )
    }
    await sink.close()
    expect(seen.map(Number)).toEqual(Array.from({ length: seen.length }, (_, index) => 10 + index))
    expect(seen.length).toBeGreaterThanOrEqual(200)
  })
})
