import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { CompactedError } from '../../../src/etcd/compacted-error.ts'
import type { KeyValue } from '../../../src/etcd/key-value.ts'
import type { RangeRequest, RangeResponse } from '../../../src/etcd/messages.ts'
import type { EtcdRpc } from '../../../src/etcd/rpc.ts'
import { newestAnchor } from '../../../src/replication/anchor.ts'
import type { Position } from '../../../src/replication/position.ts'
import { prefixRange } from '../../../src/replication/prefix-range.ts'
import { judgeState, unchangedUpTo } from '../../../src/replication/state-proof.ts'
import { history, ModelStore, type Revision } from './model-store.ts'

const { signal } = new AbortController()
const range = prefixRange(Buffer.alloc(0))
const check = () => {}

/** A store that remembers its state at every revision, and answers reads as etcd does. */
class ReadableStore {
  readonly #store = new ModelStore()
  readonly #states = new Map<number, readonly KeyValue[]>([[1, []]])
  /** Of every read so far. */
  readonly requests: RangeRequest[] = []
  failure: Error | undefined

  constructor(revisions: readonly Revision[]) {
    for (const revision of revisions) this.commit(revision)
  }

  get revision(): number {
    return this.#store.revision
  }

  commit(revision: Revision): void {
    this.#store.commit(revision)
    this.#states.set(this.revision, this.#store.state)
  }

  /** Something outside of the range changed. */
  pass(): void {
    const { state } = this.#store
    this.#store.revision += 1
    this.#states.set(this.revision, state)
  }

  stateAt(revision: number): readonly KeyValue[] {
    return this.#states.get(revision) ?? []
  }

  positionAt(revision: number): Position {
    const state = this.stateAt(revision)
    const anchor = newestAnchor(state, undefined)
    return { epoch: 0, clusterId: 7n, raftTerm: 2, revision, keyCount: state.length, anchor }
  }

  get rpc(): EtcdRpc {
    return {
      unary: async (_method, request) => this.#range(request as RangeRequest) as never,
      watch: () => Promise.reject(new Error('unexpected watch')),
    }
  }

  #range(request: RangeRequest): RangeResponse {
    this.requests.push(request)
    if (this.failure && request.revision) throw this.failure
    const { key, rangeEnd, minModRevision = 0, limit, countOnly } = request
    const state = this.stateAt(request.revision || this.revision)
    const found = rangeEnd ? state : state.filter((kv) => kv.key.equals(key))
    const kvs = countOnly ? [] : found.filter(({ modRevision }) => modRevision >= minModRevision).slice(0, limit)
    const header = { clusterId: 7n, memberId: 1n, revision: this.revision, raftTerm: 2 }
    return { header, kvs, more: false, count: found.length }
  }
}

/** No other history writes these. */
const withOtherValues = (revision: Revision): Revision =>
  Object.fromEntries(Object.entries(revision).map(([key, value]) => [key, value && `forked ${value}`]))

/** The history deleted a key after its anchor. */
const deletes = (store: ReadableStore, { anchor, revision }: Position) =>
  store.stateAt(anchor?.modRevision ?? 1).length > store.stateAt(revision).length

describe('judgeState', () => {
  test('finds every history the same as itself', async () => {
    const property = fc.asyncProperty(history, fc.nat(60), async (revisions, index) => {
      const store = new ReadableStore(revisions)
      const revision = 1 + (index % store.revision)
      expect(await judgeState(store.rpc, range, store.positionAt(revision), { revision, signal, check })).toBe('same')
    })
    await fc.assert(property, { numRuns: 300 })
  })

  test('a fork that it finds the same shows the same state, unless both only deleted after the anchor', async () => {
    const property = fc.asyncProperty(history, history, history, async (shared, ours, theirs) => {
      const store = new ReadableStore([...shared, ...ours])
      const fork = new ReadableStore([...shared, ...theirs.map(withOtherValues)])
      while (fork.revision < store.revision) fork.pass()
      const { revision } = store
      const position = store.positionAt(revision)
      const verdict = await judgeState(fork.rpc, range, position, { revision, signal, check })
      if (verdict !== 'same' || deletes(store, position)) return
      expect(fork.stateAt(revision).map(({ key, value }) => `${key}=${value}`)).toEqual(
        store.stateAt(revision).map(({ key, value }) => `${key}=${value}`),
      )
    })
    await fc.assert(property, { numRuns: 1000 })
  })

  test('sees a put behind the anchor that the history it knows does not have', async () => {
    const store = new ReadableStore([{ a: '1' }, { b: '2' }])
    const fork = new ReadableStore([{ a: '1' }, { b: '2' }, { a: 'forked' }])
    store.pass()
    const { revision } = store
    expect(await judgeState(fork.rpc, range, store.positionAt(revision), { revision, signal, check })).toBe('otherKeys')
  })
})

describe('unchangedUpTo', () => {
  const changed = (store: ReadableStore, position: Position) =>
    unchangedUpTo(store.rpc, range, position, { signal, check })

  test('is the head while nothing changes, with and without keys', async () => {
    for (const revisions of [[], [{ a: '1' }, { b: '2' }]]) {
      const store = new ReadableStore(revisions)
      const position = store.positionAt(store.revision)
      store.pass()
      expect(await changed(store, position)).toBe(store.revision)
    }
  })

  test.each<[string, Revision]>([
    ['a put', { a: '3' }],
    ['a new key', { c: '3' }],
    ['a delete', { a: undefined }],
    ['a delete of the anchor', { b: undefined }],
  ])('is undefined after %s', async (_what, revision) => {
    const store = new ReadableStore([{ a: '1' }, { b: '2' }])
    const position = store.positionAt(store.revision)
    store.pass()
    store.commit(revision)
    expect(await changed(store, position)).toBeUndefined()
  })

  test('does not take a change between the anchor and the position for none', async () => {
    const store = new ReadableStore([{ a: '1' }, { b: '2' }])
    const fork = new ReadableStore([{ a: '1' }, { b: '2' }, { a: 'forked' }])
    store.pass()
    fork.pass()
    expect(await changed(fork, store.positionAt(store.revision))).toBeUndefined()
  })

  test('finds a reset when the anchor is another one and nothing newer explains it', async () => {
    const store = new ReadableStore([{ a: '1' }, { b: '2' }])
    const fork = new ReadableStore([{ a: '1' }, { b: 'forked' }])
    await expect(changed(fork, store.positionAt(store.revision))).rejects.toMatchObject({ code: 'StoreReset' })
  })

  test('cannot tell when the head is compacted away at once', async () => {
    const store = new ReadableStore([{ a: '1' }])
    store.failure = new CompactedError('read', 99)
    expect(await changed(store, store.positionAt(store.revision))).toBeUndefined()
  })
})
