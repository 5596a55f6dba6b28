import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { EtcdClient } from '../../../src/etcd/etcd-client.ts'
import type { Comparison } from '../../../src/etcd/messages.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { openClient } from '../../support/scripted-client.ts'

const never = { signal: new AbortController().signal }

describe.each(['3.4', '3.6'] as const)('EtcdClient on etcd %s', (version) => {
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

  const put = (key: string, value: string | Buffer) =>
    client.unary('put', { key: Buffer.from(key), value: Buffer.from(value) }, never)
  const get = async (key: string | Buffer) => (await client.unary('range', { key: Buffer.from(key) }, never)).kvs[0]

  test('put and range keep every byte of keys and values, and count revisions and versions', async () => {
    const key = Buffer.from([0x2f, 0x00, 0xff, 0xfe, 0x80])
    const value = Buffer.from([0xff, 0x00, 0xc3, 0x28])
    const first = await client.unary('put', { key, value }, never)
    const second = await client.unary('put', { key, value: Buffer.alloc(0), prevKv: true }, never)
    expect(second.header.revision).toBe(first.header.revision + 1)
    expect(second.prevKv).toEqual({
      key,
      value,
      createRevision: first.header.revision,
      modRevision: first.header.revision,
      version: 1,
      lease: 0n,
    })
    expect(await get(key)).toMatchObject({ key, value: Buffer.alloc(0), version: 2 })
    expect(first.header).toMatchObject({ clusterId: expect.any(BigInt), raftTerm: expect.any(Number) })
    expect(first.header.clusterId).not.toBe(0n)
  })

  test('range knows limit, more, count, revision, keysOnly, countOnly and minModRevision', async () => {
    const { header } = await put('/r/a', '1')
    await put('/r/b', '2')
    await put('/r/a', '3')
    const range = { key: Buffer.from('/r/'), rangeEnd: Buffer.from('/r0') }
    const read = (more: object) => client.unary('range', { ...range, ...more }, never)
    expect(await read({ limit: 1 })).toMatchObject({ more: true, count: 2, kvs: [{ value: Buffer.from('3') }] })
    expect(await read({ revision: header.revision })).toMatchObject({ more: false, count: 1, kvs: [{ version: 1 }] })
    expect((await read({ keysOnly: true })).kvs.map(({ value }) => value.length)).toEqual([0, 0])
    expect(await read({ countOnly: true })).toMatchObject({ kvs: [], count: 2 })
    const changed = await read({ minModRevision: header.revision + 2, keysOnly: true, limit: 1 })
    expect(changed).toMatchObject({ count: 2, kvs: [{ key: Buffer.from('/r/a') }] })
    expect((await read({ serializable: true })).kvs).toHaveLength(2)
  })

  test('deleteRange says what it deleted', async () => {
    await put('/d/a', '1')
    await put('/d/b', '2')
    const range = { key: Buffer.from('/d/'), rangeEnd: Buffer.from('/d0') }
    const deleted = await client.unary('deleteRange', { ...range, prevKv: true }, never)
    expect(deleted).toMatchObject({ deleted: 2, prevKvs: [{ value: Buffer.from('1') }, { value: Buffer.from('2') }] })
    expect(await client.unary('deleteRange', range, never)).toMatchObject({ deleted: 0, prevKvs: [] })
  })

  test('txn compares by every target and result, and runs the right branch whole', async () => {
    const key = Buffer.from('/t/a')
    await put('/t/a', 'm')
    await put('/t/b', 'before')
    const kv = await get('/t/a')
    const holds: Comparison[] = [
      { key, target: 'value', result: 'equal', operand: Buffer.from('m') },
      { key, target: 'value', result: 'less', operand: Buffer.from('z') },
      { key, target: 'version', result: 'equal', operand: 1 },
      { key, target: 'version', result: 'greater', operand: 0 },
      { key, target: 'createRevision', result: 'equal', operand: kv?.createRevision ?? -1 },
      { key, target: 'modRevision', result: 'notEqual', operand: 1 },
      { key, target: 'lease', result: 'equal', operand: 0n },
      { key: Buffer.from('/t/none'), target: 'version', result: 'equal', operand: 0 },
    ]
    const success = [{ put: { key: Buffer.from('/t/b'), value: key, prevKv: true } }, { range: { key } }]
    const failure = [{ deleteRange: { key, prevKv: true } }]
    const yes = await client.unary('txn', { compare: holds, success, failure }, never)
    expect(yes.succeeded).toBe(true)
    expect(yes.responses).toMatchObject([
      { put: { prevKv: { value: Buffer.from('before') } } },
      { range: { count: 1 } },
    ])
    for (const comparison of holds.slice(0, 7)) {
      const opposite = comparison.result === 'equal' ? 'notEqual' : 'equal'
      const no = await client.unary(
        'txn',
        { compare: [{ ...comparison, result: opposite }], success, failure: [] },
        never,
      )
      expect([comparison.target, no.succeeded]).toEqual([comparison.target, false])
    }
    const differs: Comparison = { key, target: 'value', result: 'greater', operand: Buffer.from('m') }
    const no = await client.unary('txn', { compare: [...holds, differs], success, failure }, never)
    expect(no).toMatchObject({ succeeded: false, responses: [{ deleteRange: { deleted: 1 } }] })
    expect(await get('/t/a')).toBeUndefined()
  })

  test('a txn with one key twice is refused as DuplicateKey and changes nothing', async () => {
    const key = Buffer.from('/t/twice')
    const success = [{ put: { key, value: key } }, { put: { key, value: key } }]
    await expect(client.unary('txn', { compare: [], success, failure: [] }, never)).rejects.toMatchObject({
      code: 'DuplicateKey',
      retryable: false,
    })
    expect(await get('/t/twice')).toBeUndefined()
  })

  test('leases are granted, looked at and revoked with what hangs on them', async () => {
    const { id, ttlSeconds } = await client.unary('leaseGrant', { ttlSeconds: 60 }, never)
    expect(ttlSeconds).toBe(60)
    const key = Buffer.from('/l/a')
    await client.unary('put', { key, value: key, lease: id }, never)
    expect((await get('/l/a'))?.lease).toBe(id)
    expect(await client.unary('leaseTimeToLive', { id, keys: true }, never)).toMatchObject({
      id,
      grantedTtlSeconds: 60,
      keys: [key],
    })
    await client.unary('leaseRevoke', { id }, never)
    expect(await get('/l/a')).toBeUndefined()
    expect(await client.unary('leaseTimeToLive', { id }, never)).toMatchObject({ ttlSeconds: -1 })
    await expect(client.unary('leaseRevoke', { id }, never)).rejects.toMatchObject({
      code: 'InvalidRequest',
      retryable: false,
    })
  })

  test('compact takes the history away, and only the history', async () => {
    const { header } = await put('/c/a', '1')
    await put('/c/a', '2')
    await client.unary('compact', { revision: header.revision + 1, physical: true }, never)
    const at = (revision: number) => client.unary('range', { key: Buffer.from('/c/a'), revision }, never)
    await expect(at(header.revision)).rejects.toMatchObject({ code: 'Compacted', retryable: false })
    expect((await at(header.revision + 1)).kvs).toMatchObject([{ value: Buffer.from('2') }])
    await expect(at(header.revision + 1000)).rejects.toMatchObject({ code: 'FutureRevision', retryable: false })
    const again = client.unary('compact', { revision: header.revision, physical: false }, never)
    await expect(again).rejects.toMatchObject({ code: 'Compacted' })
  })

  test('status says the version and no errors', async () => {
    expect(await client.unary('status', {}, never)).toMatchObject({
      version: etcd.version,
      isLearner: false,
      errors: [],
    })
  })

  test('a frozen etcd ends a call at its deadline, and serves again afterwards', async () => {
    etcd.pause()
    const read = client.unary('range', { key: Buffer.from('/k') }, { ...never, timeoutMs: 200 })
    await expect(read).rejects.toMatchObject({ code: 'DeadlineExceeded', retryable: true })
    etcd.resume()
    await put('/k', 'v')
  })

  test('a killed etcd is unavailable, and serves again after its restart', async () => {
    await etcd.kill()
    await expect(put('/k', 'v')).rejects.toMatchObject({ code: 'Unavailable', retryable: true })
    await etcd.restart()
    await put('/k', 'v2')
    expect(await get('/k')).toMatchObject({ value: Buffer.from('v2') })
  })
})
