import { expect, test } from 'vitest'
import { Semaphore } from '../../../src/util/semaphore.ts'

const never = new AbortController().signal

test('Semaphore lets whoever waits go when its signal aborts, and loses no permit by it', async () => {
  const semaphore = new Semaphore(1)
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const run = (name: string, signal = never) =>
    semaphore.run(() => {
      begun.push(name)
      const { promise, resolve } = Promise.withResolvers<void>()
      ends.set(name, resolve)
      return promise
    }, signal)
  const impatient = new AbortController()
  const first = run('first')
  const second = run('second', impatient.signal)
  const third = run('third')
  impatient.abort(new Error('enough'))
  await expect(second).rejects.toThrow('enough')
  await expect(run('late', impatient.signal)).rejects.toThrow('enough')
  expect(begun).toEqual(['first'])
  ends.get('first')?.()
  await first
  expect(begun).toEqual(['first', 'third'])
  ends.get('third')?.()
  await third
  const fourth = run('fourth')
  expect(begun).toEqual(['first', 'third', 'fourth'])
  ends.get('fourth')?.()
  await fourth
})

test('Semaphore has run what was given the permit before its signal aborted', async () => {
  const semaphore = new Semaphore(1)
  const stop = new AbortController()
  const order: string[] = []
  const first = semaphore.run(async () => void order.push('first'), never)
  const second = semaphore.run(async () => void order.push('second'), stop.signal)
  await first
  stop.abort()
  await second
  await semaphore.run(async () => void order.push('third'), never)
  expect(order).toEqual(['first', 'second', 'third'])
})
