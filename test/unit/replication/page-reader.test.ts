import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { KeyValue } from '../../../src/etcd/key-value.ts'
import type { RangeRequest, RangeResponse } from '../../../src/etcd/messages.ts'
import type { EtcdRpc } from '../../../src/etcd/rpc.ts'
import { PageReader } from '../../../src/replication/page-reader.ts'
import { prefixRange } from '../../../src/replication/prefix-range.ts'
import { takeSnapshot } from '../../../src/replication/snapshot.ts'
import { EtcdMirrorError } from '../../../src/util/etcd-mirror-error.ts'

const { signal } = new AbortController()
const MIB = 1024 * 1024
const RECEIVE_LIMIT = 64 * MIB
const NUL = Buffer.from([0])

/** A sorted store that answers ranges as etcd does, and refuses answers beyond the receive limit. */
function storeOf(keys: readonly Buffer[], valueBytes: number) {
  const value = Buffer.alloc(valueBytes)
  const requests: RangeRequest[] = []
  const pages: number[] = []
  let revision = 100
  const range = (request: RangeRequest): RangeResponse => {
    requests.push(request)
    const end = request.rangeEnd ?? Buffer.alloc(0)
    const inRange = keys.filter(
      (key) =>
        Buffer.compare(key, request.key) >= 0 && (Buffer.compare(end, NUL) === 0 || Buffer.compare(key, end) < 0),
    )
    const taken = inRange.slice(0, request.limit || undefined)
    if (taken.length * valueBytes > RECEIVE_LIMIT)
      throw new EtcdMirrorError('MessageTooLarge', 'Cannot read it: x', true)
    pages.push(taken.length)
    revision += 1
    return {
      header: { clusterId: 1n, memberId: 1n, revision: request.revision || revision, raftTerm: 1 },
      kvs: taken.map((key): KeyValue => ({ key, value, createRevision: 1, modRevision: 1, version: 1, lease: 0n })),
      more: taken.length < inRange.length,
      count: inRange.length,
    }
  }
  const rpc: EtcdRpc = {
    unary: async (method, request) => {
      if (method !== 'range') throw new Error(`unexpected ${method}`)
      return range(request as RangeRequest) as never
    },
    watch: () => Promise.reject(new Error('unexpected watch')),
  }
  return { rpc, requests, pages }
}

const numbered = (count: number) => Array.from({ length: count }, (_, index) => Buffer.from(`/p/${1e6 + index}`))

async function readAll(rpc: EtcdRpc, prefix = '/p/'): Promise<readonly Buffer[]> {
  const reader = new PageReader(rpc, prefixRange(Buffer.from(prefix)))
  const keys: Buffer[] = []
  while (!reader.done) keys.push(...(await reader.next({ signal })).kvs.map(({ key }) => key))
  return keys
}

describe('PageReader', () => {
  test('reads every key under the prefix once, in order, whatever bytes they have', async () => {
    // Few different bytes, so that a key and the smallest key behind it come up together.
    const byte = fc.constantFrom(0, 1, 0x61, 0xff)
    const key = fc.array(byte, { minLength: 1, maxLength: 4 }).map((bytes) => Buffer.from(bytes))
    const keys = fc.uniqueArray(key, { maxLength: 200, size: 'max', selector: (each) => each.toString('latin1') })
    await fc.assert(
      fc.asyncProperty(keys, fc.constantFrom('', 'a', '\xff'), async (unsorted, prefix) => {
        const sorted = unsorted.toSorted(Buffer.compare)
        const wanted = sorted.filter((each) => each.toString('latin1').startsWith(prefix))
        const reader = new PageReader(storeOf(sorted, 4 * MIB).rpc, prefixRange(Buffer.from(prefix, 'latin1')))
        const seen: Buffer[] = []
        while (!reader.done) seen.push(...(await reader.next({ signal })).kvs.map((kv) => kv.key))
        expect(seen).toEqual(wanted)
      }),
      { numRuns: 30 },
    )
  })

  test('begins with 16 keys and at most quadruples while pages are small', async () => {
    const { rpc, pages } = storeOf(numbered(10_000), 10)
    expect(await readAll(rpc)).toHaveLength(10_000)
    expect(pages).toEqual([16, 64, 256, 1024, 4096, 4544])
  })

  test('stays where a page costs between 1 and 4 MiB', async () => {
    const { rpc, pages } = storeOf(numbered(2000), 8 * 1024)
    await readAll(rpc)
    expect(pages).toEqual([16, 64, 255, 255, 255, 255, 255, 255, 255, 135])
  })

  test('comes down to the budget after a page beyond 4 MiB', async () => {
    const { rpc, pages } = storeOf(numbered(100), 400 * 1024)
    await readAll(rpc)
    expect(pages.slice(0, 4)).toEqual([16, 5, 5, 5])
  })

  test('halves the limit until the answer fits, and reads on from the same key', async () => {
    const { rpc, requests, pages } = storeOf(numbered(50), 5 * MIB)
    expect(await readAll(rpc)).toHaveLength(50)
    expect(requests.slice(0, 4).map(({ limit }) => limit)).toEqual([16, 8, 1, 1])
    expect(pages.slice(0, 3)).toEqual([8, 1, 1])
  })

  test('gives up when a single key does not fit', async () => {
    const { rpc, requests } = storeOf(numbered(2), 65 * MIB)
    await expect(readAll(rpc)).rejects.toMatchObject({ code: 'MessageTooLarge' })
    expect(requests.map(({ limit }) => limit)).toEqual([16, 8, 4, 2, 1])
  })

  test('is done after the one page of an empty prefix', async () => {
    const { rpc, pages } = storeOf([], 0)
    expect(await readAll(rpc)).toEqual([])
    expect(pages).toEqual([0])
  })
})

describe('takeSnapshot', () => {
  test('reads every page at the revision of the first', async () => {
    const { rpc, requests } = storeOf(numbered(1000), 10)
    const snapshot = await takeSnapshot(rpc, Buffer.from('/p/'), { signal })
    expect(snapshot).toMatchObject({ revision: 101, count: 1000 })
    const pages = await Array.fromAsync(snapshot.pages)
    expect(pages.flat()).toHaveLength(1000)
    expect(requests.map(({ revision }) => revision)).toEqual([0, 101, 101, 101])
    expect(requests.every(({ serializable }) => !serializable)).toBe(true)
  })

  test('of an empty prefix has no page and no anchor', async () => {
    const snapshot = await takeSnapshot(storeOf([], 0).rpc, Buffer.from('/p/'), { signal })
    expect(snapshot).toMatchObject({ count: 0, firstPage: [] })
    expect(await Array.fromAsync(snapshot.pages)).toEqual([])
  })
})
