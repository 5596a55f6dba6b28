import { describe, expect, test } from 'vitest'
import { CompactedError } from '../../../src/etcd/compacted-error.ts'
import type { KeyValue } from '../../../src/etcd/key-value.ts'
import type { RangeRequest, RangeResponse, ResponseHeader } from '../../../src/etcd/messages.ts'
import type { EtcdRpc } from '../../../src/etcd/rpc.ts'
import { UnavailableError } from '../../../src/etcd/unavailable-error.ts'
import { anchorOf } from '../../../src/replication/anchor.ts'
import { assertSameStore, proveIdentity } from '../../../src/replication/identity.ts'
import type { Position } from '../../../src/replication/position.ts'
import { isCompleteVersion, readServerVersion } from '../../../src/replication/server-version.ts'
import { EtcdMirrorError } from '../../../src/util/etcd-mirror-error.ts'

const { signal } = new AbortController()
const prefix = Buffer.from('/p/')
const kv: KeyValue = {
  key: Buffer.from('/p/a'),
  value: Buffer.from('one'),
  modRevision: 20,
  createRevision: 10,
  version: 3,
  lease: 0n,
}
const position: Position = {
  epoch: 1,
  clusterId: 7n,
  revision: 30,
  raftTerm: 4,
  keyCount: 5,
  anchor: anchorOf(kv),
}
const sameHeader: ResponseHeader = { clusterId: 7n, memberId: 1n, revision: 40, raftTerm: 4 }

interface Store {
  readonly header?: Partial<ResponseHeader>
  readonly found?: KeyValue | undefined
  readonly count?: number
  /** A live key that was changed after the anchor. */
  readonly newer?: KeyValue
  readonly failure?: Error
}

function rangeOf({ newer, count = 5 }: Store, { minModRevision = Number.POSITIVE_INFINITY }: RangeRequest) {
  return { kvs: newer && newer.modRevision >= minModRevision ? [newer] : [], more: false, count }
}

function rpcOf(store: Store, requests: RangeRequest[] = []): EtcdRpc {
  const answer = (request: RangeRequest): RangeResponse => {
    requests.push(request)
    const header = { ...sameHeader, ...store.header }
    if (store.failure) throw store.failure
    if (request.rangeEnd) return { header, ...rangeOf(store, request) }
    const found = 'found' in store ? store.found : kv
    return { header, kvs: found ? [found] : [], more: false, count: found ? 1 : 0 }
  }
  return {
    unary: async (_method, request) => answer(request as RangeRequest) as never,
    watch: () => Promise.reject(new Error('unexpected watch')),
  }
}

const prove = (store: Store, at = position, options: { mayLoseEvents?: boolean } = {}) =>
  proveIdentity(rpcOf(store), prefix, at, { signal, ...options })
const newer = { ...kv, key: Buffer.from('/p/b'), modRevision: 25 }
const empty = { ...position, keyCount: 0, anchor: undefined }

describe('proveIdentity', () => {
  test('is true for the same history, read linearizably at the applied revision inside the prefix', async () => {
    const requests: RangeRequest[] = []
    expect(await proveIdentity(rpcOf({}, requests), prefix, position, { signal })).toBe(true)
    expect(requests).toMatchObject([
      { key: kv.key, revision: 30 },
      { key: prefix, rangeEnd: Buffer.from('/p0'), revision: 30, minModRevision: 21, keysOnly: true, limit: 1 },
    ])
    expect(requests.some(({ serializable }) => serializable)).toBe(false)
  })

  test('only counts when nothing can have been put after the anchor', async () => {
    const requests: RangeRequest[] = []
    const atAnchor = { ...position, revision: 20 }
    expect(await proveIdentity(rpcOf({}, requests), prefix, atAnchor, { signal })).toBe(true)
    expect(requests[1]).toMatchObject({ countOnly: true })
    expect(requests[1]).not.toHaveProperty('minModRevision')
  })

  test('an empty prefix is proven by being empty, and by nothing else', async () => {
    const requests: RangeRequest[] = []
    expect(await proveIdentity(rpcOf({ count: 0 }, requests), prefix, empty, { signal })).toBe(true)
    expect(requests).toMatchObject([{ key: prefix, revision: 30, countOnly: true }])
    await expect(prove({ count: 1 }, empty)).rejects.toMatchObject({ code: 'StoreReset' })
    await expect(prove({ count: 0, header: { revision: 29 } }, empty)).rejects.toMatchObject({ code: 'StoreReset' })
  })

  test('keys that we do not know prove nothing about a server that may lose events, another anchor does', async () => {
    expect(await prove({ newer }, position, { mayLoseEvents: true })).toBe(false)
    expect(await prove({ count: 4 }, position, { mayLoseEvents: true })).toBe(false)
    const other = prove({ found: undefined }, position, { mayLoseEvents: true })
    await expect(other).rejects.toMatchObject({ code: 'StoreReset' })
  })

  test('is false when there are keys and no anchor, without a read', async () => {
    const requests: RangeRequest[] = []
    const unproven = { ...position, anchor: undefined }
    expect(await proveIdentity(rpcOf({}, requests), prefix, unproven, { signal })).toBe(false)
    expect(requests).toEqual([])
  })

  test.each<[string, Store]>([
    ['another cluster id', { header: { clusterId: 8n } }],
    ['a revision before ours', { header: { revision: 29 } }],
    ['a raft term before ours', { header: { raftTerm: 3 } }],
    ['the anchor missing', { found: undefined }],
    ['the anchor changed at another revision', { found: { ...kv, modRevision: 21 } }],
    ['the anchor created at another revision', { found: { ...kv, createRevision: 11 } }],
    ['the anchor in another version', { found: { ...kv, version: 2 } }],
    ['another value of the anchor alone', { found: { ...kv, value: Buffer.from('two') } }],
    ['another number of keys', { count: 4 }],
    ['a live key that was put after the anchor', { newer }],
    ['a future revision', { failure: new EtcdMirrorError('FutureRevision', 'x', false) }],
  ])('finds a reset by %s', async (_what, store) => {
    await expect(prove(store)).rejects.toMatchObject({ code: 'StoreReset', retryable: false })
  })

  test.each<[string, Store]>([
    ['a newer term and revision', { header: { raftTerm: 9, revision: 9000 } }],
    ['the very revision', { header: { revision: 30 } }],
    ['a cluster id of 0, as of a proxy', { header: { clusterId: 0n } }],
    ['another lease of the anchor', { found: { ...kv, lease: 9n } }],
  ])('is not misled by %s', async (_what, store) => {
    expect(await prove(store)).toBe(true)
  })

  test('is not misled by a position that was taken behind a proxy', async () => {
    expect(await prove({}, { ...position, clusterId: 0n })).toBe(true)
  })

  test.each([new CompactedError('read', 35), new UnavailableError('NoLeader', 'x')])(
    'passes %s on',
    async (failure) => {
      await expect(prove({ failure })).rejects.toBe(failure)
    },
  )
})

test('assertSameStore accepts an equal header', () => {
  expect(() => assertSameStore(position, { clusterId: 7n, revision: 30, raftTerm: 4 })).not.toThrow()
})

describe('isCompleteVersion', () => {
  test.each(['3.4.36', '3.4.40', '3.5.18', '3.5.21', '3.6.0', '3.6.16', '3.7.0-rc.1', '3.10.1', '4.0.0'])(
    'trusts %s',
    (version) => expect(isCompleteVersion(version)).toBe(true),
  )
  test.each(['3.4.35', '3.4.23', '3.5.0', '3.5.17', '3.3.99', '2.3.8', '', 'unknown', undefined])(
    'does not trust %s',
    (version) => expect(isCompleteVersion(version)).toBe(false),
  )
})

describe('readServerVersion', () => {
  const statusOf = (answer: () => { version: string }): EtcdRpc => ({
    unary: async () => answer() as never,
    watch: () => Promise.reject(new Error('unexpected watch')),
  })
  const failing = (error: Error) =>
    statusOf(() => {
      throw error
    })

  test('is what the server says, and undefined when it says nothing', async () => {
    expect(
      await readServerVersion(
        statusOf(() => ({ version: '3.6.16' })),
        { signal },
      ),
    ).toBe('3.6.16')
    expect(
      await readServerVersion(
        statusOf(() => ({ version: '' })),
        { signal },
      ),
    ).toBeUndefined()
  })

  test('is unknown when it must not be asked, and fails when nobody answers', async () => {
    const denied = new EtcdMirrorError('PermissionDenied', 'x', true)
    expect(await readServerVersion(failing(denied), { signal })).toBeUndefined()
    const away = new UnavailableError('Unavailable', 'x')
    await expect(readServerVersion(failing(away), { signal })).rejects.toBe(away)
    const reason = new Error('enough')
    await expect(readServerVersion(failing(denied), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  })
})
