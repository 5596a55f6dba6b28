import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Root } from '../../../src/library/key-value-broker.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { newPrefix, openConnection, openOnEtcd3, textsOf, WatchLog } from '../../support/library-rig.ts'

/** The integration tests of the seed under the names they have there. */
describe.each([
  ['3.4', 'open'],
  ['3.5', 'open'],
  ['3.6', 'open'],
  ['3.7', 'open'],
  ['3.4', 'usingClient'],
  ['3.7', 'usingClient'],
] as const)('TestDataBroker on etcd %s by %s', (version, how) => {
  let etcd: EtcdServer

  beforeAll(async () => {
    etcd = await startEtcd({ version })
  })

  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
  })

  async function setUp() {
    const connection = how === 'open' ? await openConnection(etcd.endpoint) : openOnEtcd3(etcd.endpoint)
    const prefix = newPrefix()
    return { connection, prefix, broker: connection.newBroker(prefix), watcher: connection.newWatcher(prefix) }
  }

  test('putGetValue: what is put through the root broker is read through a prefixed one', async () => {
    const { connection, prefix, broker } = await setUp()
    const root = connection.newBroker(Root)
    const revision = await root.put(`${prefix}key`, 'abcd')
    expect(await broker.getValue('key')).toEqual({ key: Buffer.from('key'), value: Buffer.from('abcd'), revision })
    expect(await broker.getValue('unknown')).toBeUndefined()
  })

  test('simpleWatcher: keys that do not match are not delivered, those that do are trimmed, and a signal ends it', async () => {
    const { connection, prefix, watcher } = await setUp()
    const stop = new AbortController()
    const watch = watcher.watch('watch/', { signal: stop.signal })
    const log = new WatchLog(watch)
    await watch.ready()
    await connection.put(`${prefix}something/else`, 'val')
    await connection.put(`${prefix}watch/key`, 'val1')
    await log.until(({ length }) => length === 1)
    expect(log.lines).toEqual(['put watch/key=val1'])
    stop.abort(new Error('enough'))
    expect(await log.ended).toEqual(new Error('enough'))
  })

  test('listValues: sorted, trimmed, and ended after the last', async () => {
    const { broker } = await setUp()
    for (const name of ['c', 'a', 'b']) await broker.put(`list/${name}`, `val-${name}`)
    expect(await textsOf(broker.listValues('list/'))).toEqual([
      ['list/a', 'val-a'],
      ['list/b', 'val-b'],
      ['list/c', 'val-c'],
    ])
    expect(await textsOf(broker.listKeys('list/'))).toEqual([
      ['list/a', undefined],
      ['list/b', undefined],
      ['list/c', undefined],
    ])
  })

  test('txn: three puts become visible together, in order', async () => {
    const { connection, prefix, broker } = await setUp()
    const revision = await broker.newTxn().put('1', 'one').put('2', 'two').put('3', 'three').commit()
    const seen: unknown[] = []
    for await (const item of connection.listValues(prefix)) seen.push([item.key.toString(), item.revision])
    expect(seen).toEqual(['1', '2', '3'].map((name) => [prefix + name, revision]))
  })

  test('testDelWithPrefix: deletes what starts with the prefix, and nothing else', async () => {
    const { broker } = await setUp()
    for (const name of ['something/a', 'something/b', 'other']) await broker.put(name, 'x')
    expect(await broker.delete('something/', { prefix: true })).toBe(true)
    expect(await textsOf(broker.listValues(''))).toEqual([['other', 'x']])
    expect(await broker.delete('something/', { prefix: true })).toBe(false)
  })

  test('testPutIfNotExist: true, then false with the value intact, then true after a delete', async () => {
    const { broker } = await setUp()
    expect(await broker.putIfNotExists('key', 'first')).toBe(true)
    expect(await broker.putIfNotExists('key', 'second')).toBe(false)
    expect((await broker.getValue('key'))?.value.toString()).toBe('first')
    expect(await broker.delete('key')).toBe(true)
    expect(await broker.putIfNotExists('key', 'third')).toBe(true)
  })

  test('testCompareAndSwap: a match swaps, a stale value fails, the same swap twice is possible', async () => {
    const { broker } = await setUp()
    await broker.put('key', 'one')
    expect(await broker.compareAndSwap('key', 'one', 'two')).toBe(true)
    expect(await broker.compareAndSwap('key', 'one', 'three')).toBe(false)
    expect((await broker.getValue('key'))?.value.toString()).toBe('two')
    expect(await broker.compareAndSwap('key', 'two', 'two')).toBe(true)
    expect(await broker.compareAndSwap('unknown', '', 'x')).toBe(false)
  })

  test('testCompareAndDelete: a match deletes, a stale value does not', async () => {
    const { broker } = await setUp()
    await broker.put('key', 'one')
    expect(await broker.compareAndDelete('key', 'two')).toBe(false)
    expect(await broker.compareAndDelete('key', 'one')).toBe(true)
    expect(await broker.compareAndDelete('key', 'one')).toBe(false)
    expect(await broker.getValue('key')).toBeUndefined()
  })

  test('compact: revisions grow, an old one can be read until it is compacted', async () => {
    const { connection, broker } = await setUp()
    const first = await broker.put('key', 'one')
    const second = await broker.put('key', 'two')
    expect(second).toBeGreaterThan(first)
    expect((await broker.getValueRev('key', first))?.value.toString()).toBe('one')
    expect(await connection.compact()).toBe(second)
    await expect(broker.getValueRev('key', first)).rejects.toMatchObject({ code: 'Compacted' })
    expect((await broker.getValueRev('key', 0))?.value.toString()).toBe('two')
    await expect(connection.compact(first)).rejects.toMatchObject({ code: 'Compacted' })
    await expect(connection.compact(second + 1000)).rejects.toMatchObject({ code: 'FutureRevision' })
  })
})
