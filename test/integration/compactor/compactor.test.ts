import { beforeAll, beforeEach, describe, expect, test } from 'vitest'
import type { EtcdRpc } from '../../../src/etcd/rpc.ts'
import { UnavailableError } from '../../../src/etcd/unavailable-error.ts'
import { COMPACTION_KEY } from '../../../src/replication/coordination-key.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { eventually } from '../../support/wait.ts'
import { manyNames, Writer } from '../../support/writer.ts'
import { HOUR_MS, Replica } from './compactor-rig.ts'

/** Above what is kept whatever the period. */
const MANY = 1200

describe.each(['3.4', '3.7'] as const)('Compactor on etcd %s', (version) => {
  let etcd: EtcdServer
  let writer: Writer

  beforeAll(async () => {
    etcd = await startEtcd({ version })
    return () => etcd[Symbol.asyncDispose]()
  })
  beforeEach(async () => {
    writer = await Writer.open(etcd.endpoint, `/${Math.random()}/`)
    await etcd.etcdctl(['del', COMPACTION_KEY.toString()])
    await writer.putMany(manyNames(MANY))
    return () => writer[Symbol.dispose]()
  })

  const start = (options: Partial<Parameters<typeof Replica.start>[0]> = {}) =>
    Replica.start({ endpoint: etcd.endpoint, ...options })

  /** Whether the history at a revision can still be read. */
  async function hasHistory(revision: number): Promise<boolean> {
    const output = await etcd.etcdctl(['get', `--rev=${revision}`, 'x']).catch((error) => String(error))
    return !output.includes('compacted')
  }

  describe('Compactor', () => {
    test('compacts nothing before a full period, then to where the store stood when it began', async () => {
      const seen = await writer.head()
      await using replica = await start()
      await writer.putMany(manyNames(MANY))
      await replica.pass(HOUR_MS - 1)
      expect(replica.results).toEqual([])
      expect(await hasHistory(seen - 1)).toBe(true)
      await replica.pass(1)
      expect(replica.results).toEqual(['success'])
      expect(replica.compactor.status()).toMatchObject({ phase: 'Waiting', compactedRevision: seen })
      expect(await hasHistory(seen - 1)).toBe(false)
      expect(await hasHistory(seen)).toBe(true)
    })

    test('three replicas run one compaction a period, and the history of one period stays readable', async () => {
      await using first = await start()
      await using second = await start()
      await using third = await start()
      const replicas = [first, second, third]
      const heads: number[] = []
      for (let period = 0; period < 4; period++) {
        heads.push(await writer.head())
        await writer.putMany(manyNames(MANY))
        // Their clocks run apart: each period another one comes first.
        for (const replica of [...replicas.slice(period % 3), ...replicas.slice(0, period % 3)])
          await replica.pass(HOUR_MS)
        expect(replicas.flatMap(({ results }) => results).filter((result) => result === 'success')).toHaveLength(
          period + 1,
        )
        expect(await hasHistory(heads.at(-1) ?? 0)).toBe(true)
      }
      expect(await hasHistory((heads.at(-1) ?? 0) - 1)).toBe(false)
      expect(replicas.flatMap(({ results }) => results).filter((result) => result === 'lost')).toHaveLength(8)
    })

    test('three replicas at the same moment run one compaction', async () => {
      await using first = await start()
      await using second = await start()
      await using third = await start()
      await writer.putMany(manyNames(MANY))
      await Promise.all([first, second, third].map((replica) => replica.pass(HOUR_MS)))
      const results = [first, second, third].flatMap((replica) => replica.results)
      expect(results.sort()).toEqual(['lost', 'lost', 'success'])
    })

    test('keeps 1,000 revisions, and what the slowest mirror still needs', async () => {
      let needed: number | undefined
      await using replica = await start({ oldestNeeded: () => needed })
      await replica.pass(HOUR_MS)
      const head = await writer.head()
      expect(replica.compactor.status().compactedRevision).toBeLessThanOrEqual(head - 1000)
      expect(replica.compactor.status().compactedRevision).toBeGreaterThanOrEqual(head - 1002)
      needed = replica.compactor.status().compactedRevision + 5
      await writer.putMany(manyNames(MANY))
      await replica.pass(HOUR_MS)
      expect(replica.compactor.status().compactedRevision).toBe(needed)
      await replica.pass(HOUR_MS)
      expect(replica.results).toEqual(['success', 'success', 'skipped'])
      needed = undefined
      await replica.pass(HOUR_MS)
      expect(replica.results.at(-1)).toBe('success')
    })

    test('yields while compact_rev_key exists, and never writes it', async () => {
      await using replica = await start()
      await etcd.etcdctl(['put', 'compact_rev_key', '7'])
      const before = await writer.head()
      await replica.pass(HOUR_MS)
      expect(replica.compactor.status().phase).toBe('Yielding')
      expect(await writer.head()).toBe(before)
      await etcd.etcdctl(['del', 'compact_rev_key'])
      await writer.putMany(manyNames(MANY))
      await replica.pass(HOUR_MS)
      expect(replica.results).toEqual(['yielded', 'success'])
    })

    test('leaves the period to whoever has compacted further', async () => {
      await using replica = await start()
      await writer.putMany(manyNames(MANY))
      await writer.compact()
      await replica.pass(HOUR_MS)
      expect(replica.results).toEqual(['yielded'])
      expect(replica.compactor.status().phase).toBe('Yielding')
    })

    test('setPeriod counts from the beginning of the period that runs', async () => {
      await using replica = await start({ periodMs: 4 * HOUR_MS })
      await writer.putMany(manyNames(MANY))
      await replica.pass(2 * HOUR_MS)
      replica.compactor.setPeriod(3 * HOUR_MS)
      await replica.pass(HOUR_MS - 1)
      expect(replica.results).toEqual([])
      replica.compactor.setPeriod(2 * HOUR_MS)
      await eventually(() => expect(replica.results).toEqual(['success']))
    })
  })

  describe('Compactor whose runner ends', () => {
    /** Fails every call of that method as if the process had ended before it. */
    const endingBefore = (method: string) => (rpc: EtcdRpc) =>
      wrapped(rpc, (called, request) => (called === method && isClaimOr(method, request) ? 'before' : undefined))
    const endingAfter = (method: string) => (rpc: EtcdRpc) =>
      wrapped(rpc, (called, request) => (called === method && isClaimOr(method, request) ? 'after' : undefined))

    test.each([
      ['before its claim', endingBefore('txn')],
      ['after its claim', endingAfter('txn')],
      ['before it compacts', endingBefore('compact')],
      ['after it has compacted', endingAfter('compact')],
    ])('%s: another one compacts at the latest one period later', async (_when, between) => {
      const runner = await start({ between })
      await using other = await start()
      await writer.putMany(manyNames(MANY))
      runner.clock.advance(HOUR_MS)
      await eventually(() => expect(runner.compactor.status().phase).toBe('Retrying'))
      await runner[Symbol.asyncDispose]()
      await other.pass(HOUR_MS)
      const seen = await writer.head()
      await writer.putMany(manyNames(MANY))
      await other.pass(HOUR_MS)
      expect(other.results).toContain('success')
      expect(await hasHistory(seen - MANY - 10)).toBe(false)
      expect(await hasHistory(seen)).toBe(true)
    })

    test('a lost answer is asked for again, and then known to be done', async () => {
      let lost = 0
      const between = (rpc: EtcdRpc) =>
        wrapped(rpc, (method) => (method === 'compact' && lost++ === 0 ? 'after' : undefined))
      await using replica = await start({ between })
      await writer.putMany(manyNames(MANY))
      replica.clock.advance(HOUR_MS)
      await eventually(() => expect(replica.compactor.status().phase).toBe('Retrying'))
      await replica.pass(60_000)
      expect(replica.results).toEqual(['error', 'success'])
    })
  })

  /** Only writes count: reading the state is a transaction too. */
  function isClaimOr(method: string, request: unknown): boolean {
    return method !== 'txn' || (request as { compare: readonly unknown[] }).compare.length > 0
  }

  function wrapped(rpc: EtcdRpc, fail: (method: string, request: unknown) => 'before' | 'after' | undefined): EtcdRpc {
    return {
      watch: (options) => rpc.watch(options),
      async unary(method, request, options) {
        const when = fail(method, request)
        if (when !== 'before') {
          const answer = await rpc.unary(method, request, options)
          if (when === undefined) return answer
        }
        throw new UnavailableError('Unavailable', 'Cannot reach etcd: cut by the test')
      },
    }
  }
})
