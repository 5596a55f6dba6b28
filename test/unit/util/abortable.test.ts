import { getEventListeners } from 'node:events'
import { describe, expect, test } from 'vitest'
import { abortable } from '../../../src/util/abortable.ts'

describe('abortable', () => {
  test('passes a result and a failure on, and leaves no listener', async () => {
    const { signal } = new AbortController()
    const failure = new Error('no')
    expect(await abortable(Promise.resolve(7), signal)).toBe(7)
    await expect(abortable(Promise.reject(failure), signal)).rejects.toBe(failure)
    expect(getEventListeners(signal, 'abort')).toEqual([])
  })

  test('rejects with the abort reason, before and while it waits, and a later failure goes nowhere', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    const { promise, reject } = Promise.withResolvers<never>()
    const waiting = abortable(promise, controller.signal)
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    await expect(abortable(promise, controller.signal)).rejects.toBe(reason)
    expect(getEventListeners(controller.signal, 'abort')).toEqual([])
    reject(new Error('unhandled, unless somebody listens'))
    await new Promise((resolve) => setImmediate(resolve))
  })

  test('a promise that fails after the signal had aborted before is no unhandled rejection', async () => {
    const { promise, reject } = Promise.withResolvers<never>()
    await expect(abortable(promise, AbortSignal.abort(new Error('enough')))).rejects.toThrow('enough')
    reject(new Error('unhandled, unless somebody listens'))
    await new Promise((resolve) => setImmediate(resolve))
  })
})
