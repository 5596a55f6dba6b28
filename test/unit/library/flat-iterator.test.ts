import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { FlatIterator } from '../../../src/library/flat-iterator.ts'

async function* batchesOf<Item>(...batches: readonly (readonly Item[])[]): AsyncGenerator<readonly Item[]> {
  yield* batches
}

test('FlatIterator hands out every item in order, passes over empty batches, and ends', async () => {
  const seen: number[] = []
  const signal = new AbortController().signal
  for await (const item of new FlatIterator(batchesOf([1, 2], [], [3]), signal)) seen.push(item)
  expect(seen).toEqual([1, 2, 3])
})

test('FlatIterator answers calls that do not wait for each other one after the other', async () => {
  const items = new FlatIterator(batchesOf([1], [2, 3], [4]), new AbortController().signal)
  const results = await Promise.all(Array.from({ length: 6 }, () => items.next()))
  expect(results.map(({ value, done }) => (done ? 'done' : value))).toEqual([1, 2, 3, 4, 'done', 'done'])
})

test('FlatIterator throws what the batches throw behind the items before it', async () => {
  async function* failing() {
    yield [1]
    throw new Error('broken')
  }
  const items = new FlatIterator(failing(), new AbortController().signal)
  expect((await items.next()).value).toBe(1)
  await expect(items.next()).rejects.toThrow('broken')
  expect((await items.next()).done).toBe(true)
})

test('FlatIterator throws the reason of its signal before items that wait, and ends the batches', async () => {
  let ended = false
  async function* endless() {
    try {
      for (;;) yield [1, 2, 3]
    } finally {
      ended = true
    }
  }
  const stop = new AbortController()
  const items = new FlatIterator(endless(), stop.signal)
  await items.next()
  stop.abort(new Error('enough'))
  await expect(items.next()).rejects.toThrow('enough')
  expect(ended).toBe(true)
})

test('FlatIterator ends the batches when a loop is left', async () => {
  let ended = false
  async function* endless() {
    try {
      for (;;) yield [1, 2, 3]
    } finally {
      ended = true
    }
  }
  for await (const item of new FlatIterator(endless(), new AbortController().signal)) if (item === 2) break
  expect(ended).toBe(true)
})

test('a FlatIterator leaves no listener on its signal, however it ends', async () => {
  const { signal } = new AbortController()
  async function* failing(): AsyncGenerator<readonly number[]> {
    yield [1]
    throw new Error('broken')
  }
  for await (const item of new FlatIterator(batchesOf([1], [2]), signal)) expect(item).toBeGreaterThan(0)
  for await (const _ of new FlatIterator(batchesOf([1], [2]), signal)) break
  const items = new FlatIterator(failing(), signal)
  await items.next()
  await expect(items.next()).rejects.toThrow('broken')
  expect(getEventListeners(signal, 'abort')).toEqual([])
})
