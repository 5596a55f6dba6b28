import { describe, expect, test } from 'vitest'
import { Notifier } from '../../../src/util/notifier.ts'
import { ManualClock } from '../../support/manual-clock.ts'

const never = new AbortController().signal

describe('Notifier', () => {
  test('wakes everyone who waits', async () => {
    const notifier = new Notifier()
    const waiting = [1, 2, 3].map(() => notifier.wait(notifier.version, never))
    notifier.notify()
    await Promise.all(waiting)
  })

  test('does not lose what came between a look and the wait', async () => {
    const notifier = new Notifier()
    const seen = notifier.version
    notifier.notify()
    await notifier.wait(seen, never)
  })

  test('waits for the next one when everything was seen', async () => {
    const notifier = new Notifier()
    notifier.notify()
    let isAwake = false
    const waiting = notifier.wait(notifier.version, never).then(() => {
      isAwake = true
    })
    await new Promise((resolve) => setImmediate(resolve))
    expect(isAwake).toBe(false)
    notifier.notify()
    await waiting
  })

  test('rejects with the abort reason, even when there is something new', async () => {
    const notifier = new Notifier()
    const controller = new AbortController()
    const reason = new Error('enough')
    const waiting = notifier.wait(notifier.version, controller.signal)
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
    notifier.notify()
    await expect(notifier.wait(0, controller.signal)).rejects.toBe(reason)
  })

  test('waits for so long at most, and says whether something came', async () => {
    const notifier = new Notifier()
    const clock = new ManualClock()
    const until = { clock, signal: never }
    const late = notifier.waitAtMost(1000, notifier.version, until)
    clock.advance(1000)
    expect(await late).toBe(false)
    const woken = notifier.waitAtMost(1000, notifier.version, until)
    notifier.notify()
    expect(await woken).toBe(true)
    expect(await notifier.waitAtMost(1000, notifier.version - 1, until)).toBe(true)
    expect(clock.sleepers).toBe(0)
    const controller = new AbortController()
    const reason = new Error('enough')
    const waiting = notifier.waitAtMost(1000, notifier.version, { clock, signal: controller.signal })
    controller.abort(reason)
    await expect(waiting).rejects.toBe(reason)
  })
})
