import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { EtcdClient } from '../../../src/etcd/etcd-client.ts'
import type { KeyValue } from '../../../src/etcd/key-value.ts'
import { prefixRange } from '../../../src/replication/prefix-range.ts'
import { takeSnapshot } from '../../../src/replication/snapshot.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { openClient } from '../../support/scripted-client.ts'
import { fill, ScriptedWriter } from '../../support/scripted-writer.ts'

const never = { signal: new AbortController().signal }

describe.each(['3.4', '3.6'] as const)('takeSnapshot on etcd %s', (version) => {
  let etcd: EtcdServer
  let client: EtcdClient

  beforeAll(async () => {
    etcd = await startEtcd({ version })
    client = await openClient(`127.0.0.1:${etcd.clientPort}`)
  })

  afterAll(async () => {
    client.close()
    await etcd[Symbol.asyncDispose]()
  })

  test('reads 10,000 keys page by page at one revision while every one of them may be written', async () => {
    const prefix = Buffer.from('/many/')
    await fill(client, '/many/', 10_000, 100)
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const writer = new ScriptedWriter(client, { prefix: '/many/00', seed: 1, keys: 10_000, maxOps: 20 })
    const snapshot = await takeSnapshot(client, prefix, never)
    const keys: KeyValue[] = []
    let pages = 0
    for await (const page of snapshot.pages) {
      pages += 1
      keys.push(...page)
      await writer.write(20, stop.signal)
    }
    const { kvs } = await client.unary('range', { ...prefixRange(prefix), revision: snapshot.revision }, never)
    expect(keys).toEqual(kvs)
    expect([keys.length, snapshot.count]).toEqual([10_000, 10_000])
    expect(pages).toBeGreaterThan(4)
    expect(writer.revision).toBeGreaterThan(snapshot.revision + 50)
  })

  test('reads values of 1 MiB and keys that are no text', async () => {
    const prefix = Buffer.from([0x2f, 0xff])
    const key = (index: number) => Buffer.concat([prefix, Buffer.from([index, 0, 0xfe])])
    for (let index = 0; index < 12; index++) {
      await client.unary('put', { key: key(index), value: Buffer.alloc(1024 * 1024, index) }, never)
    }
    const snapshot = await takeSnapshot(client, prefix, never)
    const kvs = (await Array.fromAsync(snapshot.pages)).flat()
    expect(kvs.map((kv) => kv.key)).toEqual(Array.from({ length: 12 }, (_, index) => key(index)))
    expect(kvs.every(({ value }, index) => value.equals(Buffer.alloc(1024 * 1024, index)))).toBe(true)
  })

  test('reads on when an answer would be larger than the receive limit', async () => {
    // Small values first: pages grow, and the page that meets the large ones asks for all of them at once.
    await fill(client, '/large/a', 2000)
    const value = Buffer.alloc(1024 * 1024, 'v')
    for (let index = 0; index < 70; index++) {
      await client.unary('put', { key: Buffer.from(`/large/b${100 + index}`), value }, never)
    }
    const snapshot = await takeSnapshot(client, Buffer.from('/large/'), never)
    let count = 0
    for await (const page of snapshot.pages) count += page.length
    expect(count).toBe(2070)
  })

  test('a compaction while pages are read ends it with a CompactedError', async () => {
    await fill(client, '/gone/', 2000)
    const snapshot = await takeSnapshot(client, Buffer.from('/gone/'), never)
    const revision = await fill(client, '/gone/', 1)
    const reading = (async () => {
      for await (const _page of snapshot.pages) {
        await client.unary('compact', { revision, physical: true }, never).catch(() => undefined)
      }
    })()
    await expect(reading).rejects.toMatchObject({ code: 'Compacted', retryable: false })
  })

  test('of an empty prefix is empty, at the revision of the store', async () => {
    const snapshot = await takeSnapshot(client, Buffer.from('/nothing/'), never)
    expect(await Array.fromAsync(snapshot.pages)).toEqual([])
    expect(snapshot).toMatchObject({ count: 0, revision: snapshot.header.revision })
    expect(snapshot.revision).toBeGreaterThan(0)
  })
})
