import { describe, expect, test } from 'vitest'
import { TokenSource } from '../../../src/etcd/token-source.ts'
import type { Clock } from '../../../src/util/clock.ts'

const never = new AbortController().signal

/** A token source whose logins are answered one by one by the test. */
function scripted({ random = () => 0.5, closed = never }: { random?: () => number; closed?: AbortSignal } = {}) {
  const logins: PromiseWithResolvers<string | undefined>[] = []
  const waits: number[] = []
  const clock: Clock = {
    now: () => 0,
    monotonic: () => 0,
    sleep: async (ms, signal) => {
      waits.push(ms)
      signal.throwIfAborted()
    },
  }
  const authenticate = () => {
    const login = Promise.withResolvers<string | undefined>()
    logins.push(login)
    return login.promise
  }
  return { tokens: new TokenSource({ authenticate, clock, closed, random }), logins, waits }
}

/** Lets everything run that is ready to. */
const settle = () => new Promise((resolve) => setImmediate(resolve))

describe('TokenSource', () => {
  test('logs in once for all who wait and for all who come later', async () => {
    const { tokens, logins } = scripted()
    const waiting = [1, 2, 3].map(() => tokens.get(never))
    await settle()
    logins[0]?.resolve('a')
    const handed = await Promise.all([...waiting, tokens.get(never)])
    expect(handed.map(({ value }) => value)).toEqual(['a', 'a', 'a', 'a'])
    expect(logins).toHaveLength(1)
  })

  test('an abort of one waiter harms neither the others nor the login', async () => {
    const { tokens, logins } = scripted()
    const controller = new AbortController()
    const [given, other] = [tokens.get(controller.signal), tokens.get(never)]
    const reason = new Error('enough')
    controller.abort(reason)
    await expect(given).rejects.toBe(reason)
    logins[0]?.resolve('a')
    expect(await other).toEqual({ value: 'a' })
    expect(logins).toHaveLength(1)
  })

  test('every waiter shares a failure, and the next call logs in again', async () => {
    const { tokens, logins } = scripted()
    const waiting = [1, 2].map(() => tokens.get(never))
    await settle()
    const failure = new Error('refused')
    logins[0]?.reject(failure)
    expect(await Promise.allSettled(waiting)).toEqual(Array(2).fill({ status: 'rejected', reason: failure }))
    const next = tokens.get(never)
    await settle()
    logins[1]?.resolve('b')
    expect(await next).toEqual({ value: 'b' })
  })

  test('a failure that nobody waited for is no answer to the next call, and no unhandled rejection', async () => {
    const { tokens, logins } = scripted()
    const controller = new AbortController()
    const given = tokens.get(controller.signal)
    controller.abort()
    await expect(given).rejects.toThrow()
    await expect(tokens.get(controller.signal)).rejects.toThrow()
    logins[0]?.reject(new Error('refused'))
    await settle()
    const next = tokens.get(never)
    await settle()
    logins[1]?.resolve('b')
    expect(await next).toEqual({ value: 'b' })
  })

  test('invalidate by many callers of one token leads to one login', async () => {
    const { tokens, logins } = scripted()
    const first = tokens.get(never)
    logins[0]?.resolve('a')
    const token = await first
    for (let caller = 0; caller < 3; caller++) tokens.invalidate(token)
    const again = tokens.get(never)
    for (let caller = 0; caller < 3; caller++) tokens.invalidate(token)
    await settle()
    logins[1]?.resolve('b')
    expect(await again).toEqual({ value: 'b' })
    expect(logins).toHaveLength(2)
  })

  test('invalidate of an old token leaves the newer one alone', async () => {
    const { tokens, logins } = scripted()
    const first = tokens.get(never)
    logins[0]?.resolve('same text')
    const old = await first
    tokens.invalidate(old)
    const second = tokens.get(never)
    await settle()
    logins[1]?.resolve('same text')
    const newer = await second
    tokens.invalidate(old)
    expect(await tokens.get(never)).toBe(newer)
    expect(logins).toHaveLength(2)
  })

  test('the first login does not wait, nor does one after failures; every one after a success does', async () => {
    const { tokens, logins, waits } = scripted({ random: () => 0.5 })
    for (const index of [0, 1]) {
      const failing = tokens.get(never)
      logins[index]?.reject(new Error('refused'))
      await expect(failing).rejects.toThrow('refused')
    }
    const first = tokens.get(never)
    logins[2]?.resolve('a')
    tokens.invalidate(await first)
    expect(waits).toEqual([])
    const second = tokens.get(never)
    await settle()
    logins[3]?.resolve('b')
    await second
    expect(waits).toEqual([500])
  })

  test('switched-off authentication is a token without a value, asked for once', async () => {
    const { tokens, logins } = scripted()
    const first = tokens.get(never)
    logins[0]?.resolve(undefined)
    expect(await first).toEqual({ value: undefined })
    expect(await tokens.get(never)).toBe(await first)
    expect(logins).toHaveLength(1)
  })

  test('a wait before a login ends when the connection is closed', async () => {
    const closed = new AbortController()
    const { tokens, logins } = scripted({ closed: closed.signal })
    const first = tokens.get(never)
    logins[0]?.resolve('a')
    tokens.invalidate(await first)
    closed.abort(new Error('closed'))
    await expect(tokens.get(never)).rejects.toThrow('closed')
    expect(logins).toHaveLength(1)
  })
})
