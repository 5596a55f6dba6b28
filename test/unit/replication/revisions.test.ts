import { status } from '@grpc/grpc-js'
import { describe, expect, onTestFinished, test } from 'vitest'
import { type RevisionStream, type RevisionsOptions, watchRevisions } from '../../../src/replication/revisions.ts'
import { StoreResetError } from '../../../src/replication/store-reset-error.ts'
import { Backoff } from '../../../src/util/backoff.ts'
import type { EtcdMirrorError } from '../../../src/util/etcd-mirror-error.ts'
import { openClient, type TestClientOptions } from '../../support/scripted-client.ts'
import { Collector } from '../../support/scripted-collector.ts'
import { encodeResponse, type ScriptedServer, startScriptedServer } from '../../support/scripted-watch-server.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'

interface Setup {
  readonly server: ScriptedServer
  readonly stream: RevisionStream
  readonly collector: Collector
  readonly stop: AbortController
  /** What `onState` was told: `open`, or the code of the failure. */
  readonly states: string[]
  readonly failures: EtcdMirrorError[]
}

interface SetupOptions extends Partial<Pick<RevisionsOptions, 'fragment' | 'prove' | 'backoff'>> {
  readonly from?: number
  readonly client?: TestClientOptions
  readonly endpoints?: (server: ScriptedServer) => readonly string[]
}

async function watching({
  from = 10,
  client: clientOptions,
  endpoints,
  ...options
}: SetupOptions = {}): Promise<Setup> {
  const server = await startScriptedServer()
  const client = await openClient(endpoints?.(server) ?? server.endpoint, clientOptions)
  const stop = new AbortController()
  const states: string[] = []
  const failures: EtcdMirrorError[] = []
  const stream = watchRevisions(client, Buffer.from('/p/'), from, {
    prove: async () => {},
    backoff: new Backoff({ random: () => 0 }),
    ...options,
    signal: stop.signal,
    onState(failure) {
      states.push(failure?.code ?? 'open')
      if (failure) failures.push(failure)
    },
  })
  const collector = new Collector(stream)
  onTestFinished(async () => {
    stop.abort()
    client.close()
    await collector.failure
    await server[Symbol.asyncDispose]()
  })
  return { server, stream, collector, stop, states, failures }
}

describe('watchRevisions', () => {
  test('asks for the last whole revision again, with the whole prefix and a leader', async () => {
    const { server } = await watching({ from: 10 })
    const stream = await server.nextStream()
    expect(await stream.created).toEqual({ startRevision: 10, fragment: false, key: Buffer.from('/p/') })
    expect(stream.metadata.hasLeader).toBe(true)
  })

  test('drops what it knows: events at and below its revision, duplicates, and a revision that goes back', async () => {
    const { server, collector } = await watching({ from: 10 })
    const stream = await server.nextStream()
    stream.send({ created: true, revision: 30 })
    stream.send({ revision: 30, events: [put(9, 'a'), put(10, 'a'), put(10, 'b'), put(11, 'c')] })
    stream.send({ revision: 30, events: [put(11, 'c'), put(12, 'd'), remove(12, 'e')] })
    stream.send({ revision: 12, events: [put(10, 'b'), put(11, 'c')] })
    stream.send({ revision: 30, events: [put(13, 'f'), put(11, 'c'), put(12, 'd'), put(14, 'g')] })
    stream.send({ revision: 30, events: [put(13, 'f'), put(14, 'g'), put(15, 'h'), put(15, 'i'), put(15, 'h')] })
    await collector.reached(15)
    expect(collector.log).toEqual(['11:c', '12:d', '12:e-', '13:f', '14:g', '15:h', '15:i'])
    expect(collector.items.map(({ revision }) => revision)).toEqual([11, 12, 14, 15])
  })

  test('hands out several whole revisions of one response at once, in order', async () => {
    const { server, collector } = await watching({ from: 1 })
    const stream = await server.nextStream()
    stream.send({ created: true })
    stream.send({ events: [put(2, 'a'), put(2, 'b'), put(5, 'a'), remove(6, 'b')] })
    expect(await collector.count(1)).toMatchObject([{ kind: 'batch', revision: 6 }])
    expect(collector.log).toEqual(['2:a', '2:b', '5:a', '6:b-'])
  })

  test('a put has its key and value, a delete its key and revision alone', async () => {
    const { server, collector } = await watching()
    const stream = await server.nextStream()
    stream.send({ created: true })
    const empty = { key: 'c', revision: 11, value: '' }
    stream.send({ events: [{ key: 'a', revision: 11, value: Buffer.from([0, 255]) }, remove(11, 'b'), empty] })
    await collector.count(1)
    expect(collector.changes).toMatchObject([
      { type: 'put' },
      { type: 'delete' },
      { type: 'put', value: Buffer.alloc(0) },
    ])
    expect(collector.changes.slice(0, 2)).toEqual([
      {
        type: 'put',
        key: Buffer.from('a'),
        value: Buffer.from([0, 255]),
        modRevision: 11,
        createRevision: 0,
        version: 1,
        lease: 0n,
      },
      { type: 'delete', key: Buffer.from('b'), modRevision: 11 },
    ])
  })

  test('resumes at the last event, not at the header of the created answer or of a backlog', async () => {
    const { server, collector } = await watching({ from: 10 })
    const first = await server.nextStream()
    first.send({ created: true, revision: 5000 })
    first.send({ revision: 5000, events: [put(11, 'a'), put(12, 'b')] })
    await collector.reached(12)
    first.fail()
    const second = await server.nextStream()
    expect((await second.created).startRevision).toBe(12)
    second.send({ created: true, revision: 5000 })
    second.send({ revision: 5000, events: [put(12, 'b'), put(13, 'c')] })
    await collector.reached(13)
    expect(collector.log).toEqual(['11:a', '12:b', '13:c'])
  })

  test('resumes where it was when a stream dies right after it was created', async () => {
    const { server } = await watching({ from: 10 })
    const first = await server.nextStream()
    first.send({ created: true, revision: 5000 })
    first.fail()
    expect((await (await server.nextStream()).created).startRevision).toBe(10)
  })

  test.each([
    ['an error', (stream: { fail(): void; end(): void }) => stream.fail()],
    ['an end', (stream: { fail(): void; end(): void }) => stream.end()],
  ])('replays a fragmented revision whole after %s inside it', async (_how, interrupt) => {
    const { server, collector } = await watching({ from: 10, fragment: true })
    const first = await server.nextStream()
    expect((await first.created).fragment).toBe(true)
    first.send({ created: true })
    first.send({ events: [put(11, 'a')] })
    first.send({ fragment: true, events: [put(12, 'b'), put(13, 'c')] })
    first.send({ fragment: true, events: [put(13, 'd')] })
    await collector.reached(12)
    interrupt(first)
    const second = await server.nextStream()
    expect((await second.created).startRevision).toBe(12)
    second.send({ created: true })
    second.send({ fragment: true, events: [put(12, 'b'), put(13, 'c')] })
    second.send({ fragment: true, events: [put(13, 'd')] })
    second.send({ fragment: false, events: [put(13, 'e')] })
    await collector.reached(13)
    expect(collector.log).toEqual(['11:a', '12:b', '13:c', '13:d', '13:e'])
    expect(collector.items.at(-1)).toMatchObject({ revision: 13, changes: [{}, {}, {}] })
  })

  test('hands out what is whole of an answer in pieces, so that 1 GiB of them need not be held', async () => {
    const { server, collector } = await watching({ from: 10, fragment: true })
    const stream = await server.nextStream()
    stream.send({ created: true })
    stream.send({ fragment: true, events: [put(11, 'a'), put(12, 'b'), put(12, 'c')] })
    await collector.reached(11)
    stream.send({ fragment: true, events: [put(12, 'd')] })
    stream.send({ fragment: true, events: [put(13, 'e')] })
    await collector.reached(12)
    stream.send({ events: [put(14, 'f')] })
    await collector.reached(14)
    expect(collector.items.map(({ revision }) => revision)).toEqual([11, 12, 14])
    expect(collector.log).toEqual(['11:a', '12:b', '12:c', '12:d', '13:e', '14:f'])
  })

  test('a connection cut by the network is opened again', async () => {
    const server = await startScriptedServer()
    onTestFinished(() => server[Symbol.asyncDispose]())
    const proxy = await startTcpProxy(server.port)
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const { collector, states } = await watching({ endpoints: () => [`127.0.0.1:${proxy.port}`] })
    const first = await server.nextStream()
    first.send({ created: true })
    first.send({ events: [put(11, 'a')] })
    await collector.reached(11)
    proxy.cut()
    const second = await server.nextStream()
    second.send({ created: true })
    second.send({ events: [put(11, 'a'), put(12, 'b')] })
    await collector.reached(12)
    expect(collector.log).toEqual(['11:a', '12:b'])
    expect(states).toEqual(['open', 'Unavailable', 'open'])
  })

  test('a store ahead of which the watch starts may answer with old events: they are dropped', async () => {
    const { server, collector } = await watching({ from: 100 })
    const stream = await server.nextStream()
    stream.send({ created: true, revision: 50 })
    stream.send({ revision: 50, events: [put(49, 'a'), put(50, 'b')] })
    stream.send({ revision: 101, events: [put(101, 'c')] })
    await collector.reached(101)
    expect(collector.log).toEqual(['101:c'])
  })

  test('ends with the compact revision when the history is gone', async () => {
    const { server, collector } = await watching()
    const stream = await server.nextStream()
    stream.send({ created: true, revision: 0 })
    stream.send({ canceled: true, compactRevision: 20 })
    expect(await collector.failure).toMatchObject({ code: 'Compacted', compactRevision: 20, retryable: false })
    await stream.closed
  })

  test.each([
    ['', 'Unavailable'],
    ['etcdserver: something', 'Unavailable'],
    ['rpc error: code = PermissionDenied desc = etcdserver: permission denied', 'PermissionDenied'],
    ['rpc error: code = Unauthenticated desc = etcdserver: invalid auth token', 'AuthenticationFailed'],
  ])('opens the watch again when it was canceled with reason "%s"', async (cancelReason, code) => {
    const { server, collector, states } = await watching()
    const first = await server.nextStream()
    first.send({ created: true, canceled: true, cancelReason })
    await first.closed
    const second = await server.nextStream()
    second.send({ created: true })
    second.send({ events: [put(11, 'a')] })
    await collector.reached(11)
    expect(states).toEqual([code, 'open'])
  })

  test('backs off longer and longer while watches are refused, and not after one was open', async () => {
    const waits: number[] = []
    const backoff = new Backoff({
      random: () => {
        waits.push(backoff.attempt)
        return 0
      },
    })
    const { server } = await watching({ backoff })
    for (let round = 0; round < 3; round++) {
      ;(await server.nextStream()).send({ created: true, canceled: true })
    }
    const open = await server.nextStream()
    open.send({ created: true })
    open.fail()
    await server.nextStream()
    expect(waits).toEqual([1, 2, 3, 1])
  })

  test('switches fragments on after an answer that was too large, and loses nothing', async () => {
    const { server, collector, states } = await watching({ from: 10 })
    const first = await server.nextStream()
    first.send({ created: true })
    first.fail(status.RESOURCE_EXHAUSTED, 'Received message larger than max (70000000 vs 67108864)')
    const second = await server.nextStream()
    expect(await second.created).toMatchObject({ startRevision: 10, fragment: true })
    second.send({ created: true })
    second.send({ fragment: true, events: [put(11, 'a')] })
    second.send({ events: [put(11, 'b')] })
    await collector.reached(11)
    expect(collector.log).toEqual(['11:a', '11:b'])
    expect(states).toEqual(['open', 'MessageTooLarge', 'open'])
  })

  test('a real message beyond the receive limit is told as too large', async () => {
    const { server, failures } = await watching()
    const first = await server.nextStream()
    first.send({ created: true })
    first.send({ events: [{ key: 'a', revision: 11, value: Buffer.alloc(64 * 1024 * 1024 + 1) }] })
    expect(await (await server.nextStream()).created).toMatchObject({ fragment: true })
    expect(failures).toMatchObject([{ code: 'MessageTooLarge' }])
  })

  test('a malformed answer ends the stream, and the next one goes on', async () => {
    const { server, collector, failures } = await watching()
    const first = await server.nextStream()
    first.send({ created: true })
    first.sendBytes(encodeResponse({ events: [put(11, 'a')] }).subarray(0, -2))
    const second = await server.nextStream()
    second.send({ created: true })
    second.send({ events: [put(11, 'a')] })
    await collector.reached(11)
    expect(failures).toMatchObject([{ code: 'ProtocolError', retryable: true }])
  })

  test('gives up on a server that never creates the watch, and turns to the next endpoint', async () => {
    const other = await startScriptedServer()
    onTestFinished(() => other[Symbol.asyncDispose]())
    const { server, collector, failures } = await watching({
      endpoints: (first) => [first.endpoint, other.endpoint],
      client: { createTimeoutMs: 50 },
    })
    const silent = await server.nextStream()
    await silent.closed
    const stream = await other.nextStream()
    stream.send({ created: true })
    stream.send({ events: [put(11, 'a')] })
    await collector.reached(11)
    expect(failures).toMatchObject([{ code: 'DeadlineExceeded', retryable: true }])
  })

  test('a watch that was created may be silent for longer than its creation may take', async () => {
    const { server, collector, states } = await watching({ client: { createTimeoutMs: 100 } })
    const stream = await server.nextStream()
    stream.send({ created: true })
    await new Promise((resolve) => setTimeout(resolve, 200))
    stream.send({ events: [put(11, 'a')] })
    await collector.reached(11)
    expect(states).toEqual(['open'])
  })

  describe('progress', () => {
    test('tells what was asked for from what came by itself, and drops what lies behind', async () => {
      const { server, stream: revisions, collector } = await watching({ from: 10 })
      const stream = await server.nextStream()
      revisions.requestProgress()
      stream.send({ created: true, revision: 40 })
      stream.send({ revision: 9, watchId: -1 })
      stream.send({ revision: 20, watchId: 0 })
      await collector.count(1)
      revisions.requestProgress()
      await stream.progressRequested()
      stream.send({ revision: 30, watchId: -1 })
      expect(await collector.count(2)).toEqual([
        { kind: 'progress', revision: 20, requested: false },
        { kind: 'progress', revision: 30, requested: true },
      ])
    })

    test('is never a place to resume from by itself: it may have overtaken events', async () => {
      const { server, collector } = await watching({ from: 10 })
      const first = await server.nextStream()
      first.send({ created: true, revision: 40 })
      first.send({ revision: 40, watchId: -1 })
      first.send({ revision: 40, events: [put(11, 'a')] })
      await collector.reached(11)
      first.fail()
      const second = await server.nextStream()
      expect((await second.created).startRevision).toBe(11)
      second.send({ created: true, revision: 40 })
      second.send({ revision: 40, events: [put(11, 'a'), put(12, 'b')] })
      await collector.reached(12)
      expect(collector.log).toEqual(['11:a', '12:b'])
    })

    test('confirm moves the place to resume from, never back', async () => {
      const { server, stream: revisions } = await watching({ from: 10 })
      const first = await server.nextStream()
      revisions.confirm(40)
      revisions.confirm(30)
      first.fail()
      expect((await (await server.nextStream()).created).startRevision).toBe(40)
    })

    test('is not asked for before the watch was created, nor between two streams', async () => {
      const { server, stream: revisions, collector } = await watching({ from: 10 })
      const first = await server.nextStream()
      revisions.requestProgress()
      first.send({ created: true })
      first.send({ events: [put(11, 'a')] })
      await collector.reached(11)
      revisions.requestProgress()
      await first.progressRequested()
      first.send({ revision: 11, watchId: -1 })
      await collector.count(2)
      first.fail()
      const second = await server.nextStream()
      expect(() => revisions.requestProgress()).not.toThrow()
      second.send({ created: true })
      second.send({ events: [put(12, 'b')] })
      await collector.reached(12)
      expect(first.progressRequestsLeft).toBe(0)
      expect(second.progressRequestsLeft).toBe(0)
    })
  })

  describe('proof', () => {
    test('is asked for before every stream, and its reset ends the stream of revisions', async () => {
      let proofs = 0
      const reset = new StoreResetError('for the test')
      const { server, collector } = await watching({
        prove: async () => {
          proofs += 1
          if (proofs === 2) throw reset
        },
      })
      const first = await server.nextStream()
      expect(proofs).toBe(1)
      first.fail()
      expect(await collector.failure).toBe(reset)
    })

    test('what it throws that is no error of etcd ends the stream of revisions as it is', async () => {
      const reason = new Error('a snapshot is needed')
      const { collector } = await watching({ prove: () => Promise.reject(reason) })
      expect(await collector.failure).toBe(reason)
    })
  })

  describe('the end', () => {
    test('is the abort reason, and the server sees the stream closed', async () => {
      const { server, collector, stop } = await watching()
      const stream = await server.nextStream()
      stream.send({ created: true })
      const reason = new Error('enough')
      stop.abort(reason)
      expect(await collector.failure).toBe(reason)
      await stream.closed
    })

    test('comes with code Closed when the connection is closed', async () => {
      const server = await startScriptedServer()
      onTestFinished(() => server[Symbol.asyncDispose]())
      const client = await openClient(server.endpoint)
      const { signal } = new AbortController()
      const collector = new Collector(watchRevisions(client, Buffer.from('/p/'), 1, { signal, prove: async () => {} }))
      ;(await server.nextStream()).send({ created: true })
      client.close()
      expect(await collector.failure).toMatchObject({ code: 'Closed' })
    })

    test('closes the stream when the consumer stops reading', async () => {
      const server = await startScriptedServer()
      onTestFinished(() => server[Symbol.asyncDispose]())
      using client = await openClient(server.endpoint)
      const { signal } = new AbortController()
      const reading = (async () => {
        for await (const item of watchRevisions(client, Buffer.from('/p/'), 1, { signal, prove: async () => {} })) {
          return item
        }
        return undefined
      })()
      const stream = await server.nextStream()
      stream.send({ created: true })
      stream.send({ events: [put(2, 'a')] })
      expect(await reading).toMatchObject({ revision: 2 })
      await stream.closed
    })
  })
})

function put(revision: number, key: string) {
  return { revision, key, value: `${key}${revision}` }
}

function remove(revision: number, key: string) {
  return { revision, key }
}
