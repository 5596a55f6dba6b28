import { getEventListeners } from 'node:events'
import { expect, test } from 'vitest'
import { LinkedAbort } from '../../../src/util/linked-abort.ts'

test('LinkedAbort aborts with its parent for the same reason, before and after it was made', () => {
  const parent = new AbortController()
  const reason = new Error('enough')
  using linked = new LinkedAbort(parent.signal)
  expect(linked.signal.aborted).toBe(false)
  parent.abort(reason)
  expect(linked.signal.reason).toBe(reason)
  using late = new LinkedAbort(parent.signal)
  expect(late.signal.reason).toBe(reason)
})

test('LinkedAbort aborts alone, and leaves nothing at its parent once disposed of', () => {
  const parent = new AbortController()
  const linked = new LinkedAbort(parent.signal)
  const reason = new Error('enough')
  linked.abort(reason)
  expect(linked.signal.reason).toBe(reason)
  expect(parent.signal.aborted).toBe(false)
  linked[Symbol.dispose]()
  expect(getEventListeners(parent.signal, 'abort')).toEqual([])
})
