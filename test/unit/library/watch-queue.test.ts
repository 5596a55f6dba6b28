import { expect, test } from 'vitest'
import type { WatchResponse } from '../../../src/etcd/messages.ts'
import { WatchQueue } from '../../../src/library/watch-queue.ts'

const never = new AbortController().signal

function response(revision: number, bytes = 10): WatchResponse {
  const kv = {
    key: Buffer.from('k'),
    value: Buffer.alloc(bytes),
    createRevision: revision,
    modRevision: revision,
    version: 1,
    lease: 0n,
  }
  return {
    header: { clusterId: 1n, memberId: 1n, revision, raftTerm: 1 },
    watchId: 0,
    created: false,
    canceled: false,
    compactRevision: 0,
    cancelReason: '',
    fragment: false,
    events: [{ type: 'put', kv, prevKv: undefined }],
  }
}

test('WatchQueue hands out what was pushed before and while it is read, then its end', async () => {
  const queue = new WatchQueue()
  queue.push(response(1))
  const reading = (async () => {
    const seen: number[] = []
    for await (const { header } of queue.read(never)) seen.push(header.revision)
    return seen
  })()
  await Promise.resolve()
  queue.push(response(2))
  queue.fail(undefined)
  expect(queue.push(response(3))).toBe(false)
  expect(await reading).toEqual([1, 2])
})

test('WatchQueue drops nothing but the end of what does not fit, and says so behind the rest', async () => {
  const queue = new WatchQueue(1000)
  expect([1, 2, 3].map((revision) => queue.push(response(revision, 600)))).toEqual([true, true, false])
  const seen: number[] = []
  const reading = (async () => {
    for await (const { header } of queue.read(never)) seen.push(header.revision)
  })()
  await expect(reading).rejects.toMatchObject({ code: 'Unavailable' })
  expect(seen).toEqual([1, 2])
})

test('WatchQueue gives a reader the reason of its signal', async () => {
  const stop = new AbortController()
  const reading = new WatchQueue().read(stop.signal).next()
  stop.abort(new Error('enough'))
  await expect(reading).rejects.toThrow('enough')
})
