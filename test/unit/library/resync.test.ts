import { expect, test } from 'vitest'
import { Resync } from '../../../src/library/resync.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { eventually } from '../../support/wait.ts'

/** Lets time pass until the promise is settled. */
async function hurried<Value>(clock: ManualClock, promise: Promise<Value>): Promise<Value> {
  const settled = { is: false }
  const watched = promise.finally(() => {
    settled.is = true
  })
  await eventually(() => {
    clock.advance(1000)
    if (!settled.is) throw new Error('it goes on')
  })
  return await watched
}

test('Resync.doResync calls every subscriber in the order of registration and resolves with their acknowledgements', async () => {
  const resync = new Resync()
  const calls: string[] = []
  for (const name of ['a', 'b', 'c']) {
    resync.register(name, async ({ reason, attempt }) => {
      await Promise.resolve()
      calls.push(`${name} ${reason} ${attempt}`)
    })
  }
  const results = await resync.doResync('reconnect')
  expect(calls).toEqual(['a reconnect 1', 'b reconnect 1', 'c reconnect 1'])
  expect(results).toEqual(['a', 'b', 'c'].map((subscriber) => ({ subscriber, attempts: 1, error: undefined })))
})

test('Resync tries a subscriber again that fails, after all others had their turn, and says what it failed with (§9.7)', async () => {
  const clock = new ManualClock()
  const resync = new Resync({ clock })
  const calls: string[] = []
  const failure = new Error('full')
  resync.register('passing', ({ attempt }) => {
    calls.push(`passing ${attempt}`)
    if (attempt < 3) throw failure
  })
  resync.register('broken', async ({ attempt }) => {
    calls.push(`broken ${attempt}`)
    throw failure
  })
  resync.register('good', () => void calls.push('good'))
  expect(await hurried(clock, resync.doResync())).toEqual([
    { subscriber: 'passing', attempts: 3, error: undefined },
    { subscriber: 'broken', attempts: 3, error: failure },
    { subscriber: 'good', attempts: 1, error: undefined },
  ])
  const retries = ['passing 2', 'broken 2', 'passing 3', 'broken 3']
  expect(calls).toEqual(['passing 1', 'broken 1', 'good', ...retries])
})

test('Resync: a subscriber that never acknowledges is told to stop, and gets the next round all the same (§9.6)', async () => {
  const clock = new ManualClock()
  const resync = new Resync({ clock, attempts: 2 })
  let hangs = true
  const stopped: unknown[] = []
  const late: (() => void)[] = []
  resync.register('a', async ({ signal }) => {
    if (!hangs) return
    signal.addEventListener('abort', () => stopped.push((signal.reason as { code: string }).code))
    await new Promise<void>((resolve) => late.push(resolve))
  })
  let others = 0
  resync.register('b', () => void others++)
  const [a, b] = await hurried(clock, resync.doResync())
  expect(a).toMatchObject({ attempts: 2, error: { code: 'DeadlineExceeded' } })
  expect(b).toMatchObject({ attempts: 1, error: undefined })
  expect(stopped).toEqual(['DeadlineExceeded', 'DeadlineExceeded'])
  hangs = false
  for (const acknowledge of late) acknowledge()
  expect(await resync.doResync()).toMatchObject([
    { attempts: 1, error: undefined },
    { attempts: 1, error: undefined },
  ])
  expect(others).toBe(2)
})

test('Resync.doResync while a round runs: one more round for all who asked', async () => {
  const resync = new Resync()
  const gate = Promise.withResolvers<void>()
  const reasons: string[] = []
  resync.register('a', async ({ reason }) => {
    reasons.push(reason)
    await gate.promise
  })
  const rounds = [resync.doResync('one'), resync.doResync('two'), resync.doResync('three')]
  gate.resolve()
  expect((await Promise.all(rounds)).map(([result]) => result?.error)).toEqual([undefined, undefined, undefined])
  expect(reasons).toEqual(['one', 'two'])
})

test('Resync.doResync from inside of a handler does not wait for itself', async () => {
  const resync = new Resync()
  let rounds = 0
  resync.register('a', async () => {
    rounds++
    if (rounds === 1) expect(await resync.doResync()).toEqual([])
  })
  await resync.doResync()
  await eventually(() => expect(rounds).toBe(2))
})

test('Resync.register: one subscriber a name; the end of a subscription counts at once', async () => {
  const resync = new Resync()
  const calls: string[] = []
  resync.register('a', () => endB())
  const endB = resync.register('b', () => void calls.push('b'))
  expect(() => resync.register('b', () => {})).toThrow(expect.objectContaining({ code: 'InvalidArgument' }))
  expect(await resync.doResync()).toMatchObject([{ subscriber: 'a' }])
  expect(calls).toEqual([])
  resync.register('b', () => void calls.push('new b'))
  await resync.doResync()
  expect(calls).toEqual(['new b'])
})

test.each([{ ackTimeoutMs: 0 }, { ackTimeoutMs: -1 }, { attempts: 0 }, { attempts: Number.NaN }])(
  'Resync refuses %j',
  (options) => {
    expect(() => new Resync(options)).toThrow(expect.objectContaining({ code: 'InvalidArgument' }))
  },
)
