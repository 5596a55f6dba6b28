import { describe, expect, onTestFinished, test } from 'vitest'
import { Follower, type FollowerOptions } from '../../../src/mirror/follower.ts'
import type { Position } from '../../../src/replication/position.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { openClient } from '../../support/scripted-client.ts'
import { startScriptedServer } from '../../support/scripted-watch-server.ts'
import { eventually } from '../../support/wait.ts'

const start: Position = { epoch: 0, clusterId: 7n, revision: 10, raftTerm: 2, keyCount: 1, anchor: undefined }

async function following(overrides: Partial<FollowerOptions> = {}) {
  const server = await startScriptedServer()
  const client = await openClient(server.endpoint)
  const follower = new Follower({
    rpc: client,
    prefix: Buffer.from('/p/'),
    position: start,
    prove: async () => {},
    trustsProgress: () => true,
    fragment: false,
    onState() {},
    onBatch() {},
    select: async (changes) => changes,
    clock: systemClock,
    signal: new AbortController().signal,
    ...overrides,
  })
  onTestFinished(async () => {
    await follower[Symbol.asyncDispose]()
    client.close()
    await server[Symbol.asyncDispose]()
  })
  const stream = await server.nextStream()
  stream.send({ created: true, revision: 50 })
  return { server, follower, stream }
}

const put = (revision: number, key: string, value: string | Buffer = 'x') => ({ revision, key, value })

describe('Follower', () => {
  test.each([
    ['moves on for progress it asked a trusted server for', true, -1, 40],
    ['does not believe progress it asked an old server for: it may have overtaken events', false, -1, 11],
    ['believes an old server when progress comes by its own timer', false, 0, 40],
  ] as const)('%s', async (_what, trusts, watchId, expected) => {
    const { follower, stream, server } = await following({ trustsProgress: () => trusts })
    stream.send({ revision: 50, events: [put(11, 'a')] })
    stream.send({ revision: 40, watchId })
    await eventually(() => expect(follower.received.revision).toBe(expected))
    stream.fail()
    expect((await (await server.nextStream()).created).startRevision).toBe(expected)
  })

  test('take merges whole revisions to the newest event per key, and nothing is left', async () => {
    const { follower, stream } = await following()
    expect(follower.take()).toBeUndefined()
    stream.send({ events: [put(11, 'a', '1'), put(11, 'b', '1')] })
    stream.send({ events: [put(12, 'a', '2'), { revision: 12, key: 'b' }] })
    await eventually(() => expect(follower.received.revision).toBe(12))
    const batch = follower.take()
    expect(batch?.position.revision).toBe(12)
    expect(batch?.changes.map(({ key, modRevision, type }) => `${modRevision}:${key}:${type}`).sort()).toEqual([
      '12:a:put',
      '12:b:delete',
    ])
    expect(follower.hasPending).toBe(false)
    expect(follower.take()).toBeUndefined()
  })

  test('putBack hands the batch out again, merged with what came in meanwhile', async () => {
    const { follower, stream } = await following()
    stream.send({ events: [put(11, 'a', 'old'), put(11, 'b', 'old')] })
    await eventually(() => expect(follower.received.revision).toBe(11))
    const batch = follower.take()
    stream.send({ events: [put(12, 'b', 'new')] })
    await eventually(() => expect(follower.received.revision).toBe(12))
    if (batch) follower.putBack(batch, start)
    const again = follower.take()
    expect(again?.position.revision).toBe(12)
    expect(again?.changes.map(({ key, modRevision }) => `${modRevision}:${key}`).sort()).toEqual(['11:a', '12:b'])
  })

  test('putBack of a batch without changes still hands out its position again', async () => {
    const { follower } = await following()
    follower.confirm(40)
    const batch = follower.take()
    expect(batch).toMatchObject({ changes: [], position: { revision: 40 } })
    if (batch) follower.putBack(batch, start)
    expect(follower.take()).toMatchObject({ changes: [], position: { revision: 40 } })
  })

  test('asks for a snapshot when more waits than memory should hold, and holds nothing more', async () => {
    const { follower, stream } = await following()
    const large = Buffer.alloc(33 * 1024 * 1024)
    stream.send({ events: [put(11, 'a', large)] })
    stream.send({ events: [put(12, 'b', large)] })
    await stream.closed
    expect(() => follower.take()).toThrow(expect.objectContaining({ reason: 'overflow' }))
    expect(follower.hasPending).toBe(false)
  })

  test('the first reason to take a snapshot counts, and closes the stream', async () => {
    const { follower, stream } = await following()
    follower.requestResync('verify')
    follower.requestResync('request')
    await stream.closed
    expect(() => follower.take()).toThrow(expect.objectContaining({ reason: 'verify' }))
  })

  test('what ends the watch for good is thrown by take', async () => {
    const { follower, stream } = await following()
    stream.send({ canceled: true, compactRevision: 20 })
    await eventually(() => expect(() => follower.throwIfFailed()).toThrow())
    expect(() => follower.take()).toThrow(expect.objectContaining({ code: 'Compacted', compactRevision: 20 }))
  })
})
