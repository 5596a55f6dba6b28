import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readAhead } from '../../../src/replication/read-ahead.ts'

const never = new AbortController().signal
const settle = () => new Promise((resolve) => setImmediate(resolve))

/** A source that counts what was pulled, and knows whether it was closed. */
function counted(count: number, { failAt = -1, failure = new Error('broken') } = {}) {
  const state = { pulled: 0, isClosed: false, failure }
  async function* items(): AsyncGenerator<number> {
    try {
      for (let item = 0; item < count; item++) {
        if (item === failAt) throw failure
        state.pulled += 1
        yield item
      }
      if (failAt >= count) throw failure
    } finally {
      state.isClosed = true
    }
  }
  return { state, items: items() }
}

const sizeOf = () => 1

describe('readAhead', () => {
  test('hands every item out once, in order, whatever their sizes and the pace of the consumer', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.nat(30),
        fc.integer({ min: 1, max: 10 }),
        fc.array(fc.boolean()),
        async (count, limit, slow) => {
          const { items, state } = counted(count)
          const seen: number[] = []
          for await (const item of readAhead(items, { signal: never, sizeOf: (each) => each % 4, limit })) {
            seen.push(item)
            if (slow[item]) await settle()
          }
          expect(seen).toEqual(Array.from({ length: count }, (_, index) => index))
          expect(state.isClosed).toBe(true)
        },
      ),
      { numRuns: 50 },
    )
  })

  test('reads on while the consumer is busy, up to the budget and not beyond', async () => {
    const { items, state } = counted(100)
    const ahead = readAhead(items, { signal: never, sizeOf, limit: 5 })
    expect(state.pulled).toBe(0)
    await ahead.next()
    await settle()
    expect(state.pulled).toBe(6)
    await ahead.next()
    await settle()
    expect(state.pulled).toBe(7)
    await ahead.return(undefined)
    expect(state.isClosed).toBe(true)
  })

  test('an item larger than the budget passes', async () => {
    const { items } = counted(3)
    const seen = await Array.fromAsync(readAhead(items, { signal: never, sizeOf: () => 1000, limit: 1 }))
    expect(seen).toEqual([0, 1, 2])
  })

  test.each([0, 3])('an error after %i items reaches the consumer after them', async (failAt) => {
    const { items, state } = counted(5, { failAt })
    const seen: number[] = []
    const reading = (async () => {
      for await (const item of readAhead(items, { signal: never, sizeOf, limit: 100 })) {
        seen.push(item)
        await settle()
      }
    })()
    await expect(reading).rejects.toBe(state.failure)
    expect(seen).toEqual(Array.from({ length: failAt }, (_, index) => index))
  })

  test('closes the source when the consumer stops, even while the budget is used up', async () => {
    const { items, state } = counted(100)
    for await (const item of readAhead(items, { signal: never, sizeOf, limit: 2 })) {
      if (item === 1) break
      await settle()
    }
    expect(state.isClosed).toBe(true)
    expect(state.pulled).toBeLessThan(6)
  })

  test('closes the source when the consumer throws', async () => {
    const { items, state } = counted(100)
    const failure = new Error('disk full')
    const reading = (async () => {
      for await (const _item of readAhead(items, { signal: never, sizeOf, limit: 2 })) throw failure
    })()
    await expect(reading).rejects.toBe(failure)
    expect(state.isClosed).toBe(true)
  })

  test('rejects with the abort reason while it waits, and closes the source', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const state = { isClosed: false }
    async function* stuck(): AsyncGenerator<number> {
      try {
        yield 1
        await new Promise((_, reject) => controller.signal.addEventListener('abort', () => reject(reason)))
      } finally {
        state.isClosed = true
      }
    }
    const ahead = readAhead(stuck(), { signal: controller.signal, sizeOf, limit: 100 })
    await ahead.next()
    const next = ahead.next()
    controller.abort(reason)
    await expect(next).rejects.toBe(reason)
    expect(state.isClosed).toBe(true)
  })
})
