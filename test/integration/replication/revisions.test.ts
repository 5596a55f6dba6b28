import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { newestAnchor } from '../../../src/replication/anchor.ts'
import { readHead } from '../../../src/replication/head.ts'
import { proveIdentity } from '../../../src/replication/identity.ts'
import { type RevisionsOptions, watchRevisions } from '../../../src/replication/revisions.ts'
import { takeSnapshot } from '../../../src/replication/snapshot.ts'
import { Backoff } from '../../../src/util/backoff.ts'
import type { EtcdMirrorError } from '../../../src/util/etcd-mirror-error.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { openClient } from '../../support/scripted-client.ts'
import { Collector } from '../../support/scripted-collector.ts'
import { ScriptedWriter, seededRandom } from '../../support/scripted-writer.ts'
import { startTcpProxy, type TcpProxy } from '../../support/tcp-proxy.ts'

const never = { signal: new AbortController().signal }
let scopes = 0

describe.each(['3.4', '3.6'] as const)('watchRevisions on etcd %s', (version) => {
  let etcd: EtcdServer

  beforeAll(async () => {
    etcd = await startEtcd({ version })
  })

  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
  })

  /** A writer below a prefix of its own, and a watch of it through a proxy. */
  async function setUp(options: { seed: number; valueBytes?: number; maxOps?: number }, server = etcd) {
    const prefix = `/p${scopes++}/`
    const proxy = await startTcpProxy(server.clientPort)
    const direct = await openClient(`127.0.0.1:${server.clientPort}`)
    const client = await openClient(`127.0.0.1:${proxy.port}`)
    const stop = new AbortController()
    const failures: EtcdMirrorError[] = []
    onTestFinished(async () => {
      stop.abort()
      direct.close()
      client.close()
      await proxy[Symbol.asyncDispose]()
    })
    return {
      proxy,
      direct,
      stop,
      failures,
      prefix: Buffer.from(prefix),
      writer: new ScriptedWriter(direct, { prefix, ...options }),
      watch: (from: number, more: Partial<RevisionsOptions> = {}) => {
        const stream = watchRevisions(client, Buffer.from(prefix), from, {
          prove: async () => {},
          backoff: new Backoff({ maxMs: 50 }),
          ...more,
          signal: stop.signal,
          onState: (failure) => failure && failures.push(failure),
        })
        return { stream, collector: new Collector(stream) }
      },
    }
  }

  test('loses nothing and repeats nothing under random cuts while there are writes', async () => {
    const { writer, proxy, direct, prefix, watch, stop, failures } = await setUp({ seed: 42, valueBytes: 200 })
    const { revision } = await readHead(direct, prefix, never)
    const { collector } = watch(revision)
    const writing = writer.write(4000, stop.signal)
    const cutting = cutAtRandom(proxy, 7, 40)
    await Promise.all([writing, cutting])
    await collector.reached(writer.revision)
    expect(sorted(collector)).toEqual(writer.log)
    expectWholeRevisions(collector)
    expect(failures.length).toBeGreaterThan(5)
  })

  test('reads a backlog of 5,000 revisions through cuts in the middle of the catch-up', async () => {
    // Five answers of 1,000 revisions, some 1.2 MB each.
    const { writer, proxy, direct, prefix, watch, stop, failures } = await setUp({
      seed: 3,
      maxOps: 3,
      valueBytes: 500,
    })
    const { revision } = await readHead(direct, prefix, never)
    await writer.write(5000, stop.signal)
    const cut = proxy.cutAfterBytes(2_000_000, { times: 2 })
    const { collector } = watch(revision)
    await cut
    await collector.reached(writer.revision)
    expect(sorted(collector)).toEqual(writer.log)
    expectWholeRevisions(collector)
    expect(failures.map(({ code }) => code)).toEqual(['Unavailable', 'Unavailable'])
  })

  describe('with fragments', () => {
    // etcd cuts answers at --max-request-bytes and half a MiB: a revision larger than that must have been written before.
    const FRAGMENTING = ['--max-request-bytes=100000']

    test('reads a backlog through cuts in the middle of the catch-up', async () => {
      await using server = await startEtcd({ version })
      const { writer, proxy, watch, stop, failures } = await setUp({ seed: 4, maxOps: 3, valueBytes: 500 }, server)
      await writer.write(3000, stop.signal)
      await server.restart(FRAGMENTING)
      const cut = proxy.cutAfterBytes(2_000_000, { times: 1 })
      const { collector } = watch(1, { fragment: true })
      await cut
      await collector.reached(writer.revision)
      expect(sorted(collector)).toEqual(writer.log)
      expectWholeRevisions(collector)
      expect(failures).toHaveLength(1)
    })

    test('hands a revision out whole after a cut inside it', async () => {
      await using server = await startEtcd({ version })
      const { writer, proxy, direct, prefix, watch, stop, failures } = await setUp({ seed: 5, maxOps: 1 }, server)
      const success = Array.from({ length: 30 }, (_, index) => ({
        put: { key: Buffer.concat([prefix, Buffer.from(`large${index}`)]), value: Buffer.alloc(256 * 1024, 'v') },
      }))
      const { header } = await direct.unary(
        'txn',
        { compare: [], success, failure: [] },
        { ...never, timeoutMs: 30_000 },
      )
      await server.restart(FRAGMENTING)
      await writer.write(1, stop.signal)
      const cut = proxy.cutAfterBytes(5_000_000)
      const { collector } = watch(1, { fragment: true })
      await cut
      await collector.reached(writer.revision)
      expect(collector.changes.filter(({ modRevision }) => modRevision === header.revision)).toHaveLength(30)
      expect(collector.changes).toHaveLength(31)
      expectWholeRevisions(collector)
      expect(failures).toHaveLength(1)
    })
  })

  test('answers a request for progress at head, although nothing under the prefix changes', async () => {
    const { writer, direct, prefix, watch, stop } = await setUp({ seed: 6 })
    await writer.write(3, stop.signal)
    const { stream, collector } = watch(writer.revision)
    await direct.unary('put', { key: Buffer.from('/elsewhere'), value: Buffer.alloc(1) }, never)
    const head = await readHead(direct, prefix, never)
    const asking = setInterval(() => stream.requestProgress(), 20)
    onTestFinished(() => clearInterval(asking))
    await collector.count(1)
    expect(collector.items[0]).toEqual({ kind: 'progress', revision: head.revision, requested: true })
  })

  test('tells a compaction behind its position, and goes on when the position itself was compacted', async () => {
    const { writer, direct, watch, stop } = await setUp({ seed: 8 })
    await writer.write(20, stop.signal)
    const at = writer.revision
    await direct.unary('compact', { revision: at, physical: true }, never)
    const { collector: goesOn } = watch(at)
    const { collector: ends } = watch(at - 1)
    expect(await ends.failure).toMatchObject({ code: 'Compacted', compactRevision: at })
    await writer.write(1, stop.signal)
    await goesOn.reached(writer.revision)
  })

  test('goes on over a crash and restart of etcd, proven to be the same store', async () => {
    const { writer, direct, prefix, watch, stop } = await setUp({ seed: 9 })
    await writer.write(10, stop.signal)
    const { collector } = watch(writer.revision - 5, {
      prove: async (signal) => void (await readHead(direct, prefix, { signal })),
    })
    await collector.reached(writer.revision)
    await etcd.kill()
    await etcd.restart()
    await writer.write(10, stop.signal)
    await collector.reached(writer.revision)
    expect(sorted(collector)).toEqual(writer.log.filter((line) => Number.parseInt(line, 10) > writer.revision - 15))
  })

  test('proveIdentity proves a position of this store, and not one of another history', async () => {
    const { writer, direct, prefix, stop } = await setUp({ seed: 10 })
    await writer.write(20, stop.signal)
    await direct.unary('put', { key: Buffer.concat([prefix, Buffer.from('anchor')]), value: prefix }, never)
    const { header, revision, count, pages } = await takeSnapshot(direct, prefix, never)
    const anchor = newestAnchor((await Array.fromAsync(pages)).flat(), undefined)
    const { clusterId, raftTerm } = header
    const position = { epoch: 0, clusterId, raftTerm, revision, keyCount: count, anchor }
    expect(await proveIdentity(direct, prefix, position, never)).toBe(true)
    await writer.write(20, stop.signal)
    expect(await proveIdentity(direct, prefix, position, never)).toBe(true)
    const reset = { code: 'StoreReset' }
    await expect(proveIdentity(direct, prefix, { ...position, keyCount: 1000 }, never)).rejects.toMatchObject(reset)
    const future = { ...position, revision: revision + 1e6 }
    await expect(proveIdentity(direct, prefix, future, never)).rejects.toMatchObject(reset)
    await direct.unary('compact', { revision: revision + 1, physical: true }, never)
    await expect(proveIdentity(direct, prefix, position, never)).rejects.toMatchObject({ code: 'Compacted' })
  })
})

/** The same cuts for the same seed, at byte positions of the responses. */
async function cutAtRandom(proxy: TcpProxy, seed: number, times: number): Promise<void> {
  const random = seededRandom(seed)
  for (let cut = 0; cut < times; cut++) await proxy.cutAfterBytes(1000 + Math.floor(random() * 30_000))
}

/** The log of the changes, keys in ascending order within a revision, as the writer keeps it. */
function sorted(collector: Collector): readonly string[] {
  return collector.log.toSorted((left, right) => {
    const difference = Number.parseInt(left, 10) - Number.parseInt(right, 10)
    return difference === 0 ? Number(left > right) * 2 - 1 : difference
  })
}

/** Batches never share a revision, and revisions only grow. */
function expectWholeRevisions(collector: Collector): void {
  let last = 0
  for (const item of collector.items) {
    if (item.kind === 'progress') continue
    for (const { modRevision } of item.changes) expect(modRevision).toBeGreaterThan(last)
    const revisions = item.changes.map(({ modRevision }) => modRevision)
    expect(revisions).toEqual(revisions.toSorted((left, right) => left - right))
    expect(item.revision).toBe(revisions.at(-1))
    last = item.revision
  }
}
