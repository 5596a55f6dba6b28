import { Etcd3 } from 'etcd3'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { EtcdConnection } from '../../../src/library/etcd-connection.ts'
import type { Listing } from '../../../src/library/key-value-broker.ts'
import type { WatchEvent } from '../../../src/library/key-value-watcher.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { newPrefix, openConnection, openOnEtcd3, PATIENCE, textsOf, WatchLog } from '../../support/library-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { eventually } from '../../support/wait.ts'

/** What the seed gets wrong (its weaknesses by number), and what has to happen instead. */
describe.each(['3.4', '3.7'] as const)('weaknesses of the seed on etcd %s', (version) => {
  let etcd: EtcdServer

  beforeAll(async () => {
    etcd = await startEtcd({ version })
  })

  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
  })

  async function setUp() {
    const proxy = await startTcpProxy(etcd.clientPort)
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const prefix = newPrefix()
    const connection = await openConnection(proxy.endpoint)
    const direct = await openConnection(etcd.endpoint)
    return {
      proxy,
      prefix,
      connection,
      broker: connection.newBroker(prefix),
      watcher: connection.newWatcher(prefix),
      direct,
      writer: direct.newBroker(prefix),
    }
  }

  test('§9.1 gap between list and watch: a watch from the revision of a list delivers what was written in between', async () => {
    const { broker, watcher, writer } = await setUp()
    await writer.put('a', '1')
    const list = broker.listValues('')
    expect(await textsOf(list)).toEqual([['a', '1']])
    await writer.put('b', '2')
    await writer.delete('a')
    const log = new WatchLog(watcher.watch('', { fromRevision: await list.revision() }))
    await log.until(({ length }) => length === 2)
    expect(log.lines).toEqual(['put b=2', 'delete a (was 1)'])
  })

  test('§9.2 lost to compaction: a watch cut off while etcd is written and compacted says so, and where to list', async () => {
    const { proxy, broker, watcher, writer, direct } = await setUp()
    for (const name of ['a', 'b']) await writer.put(name, 'old')
    const log = new WatchLog(watcher.watch(''))
    const watch = watcher.watch('')
    await watch.ready()
    await writer.put('seen', '1')
    await log.until(({ length }) => length > 0)
    proxy.refuse()
    proxy.cut()
    await writer.delete('a')
    await writer.put('b', 'new')
    await direct.compact()
    await proxy.accept()
    await log.until((events) => events.some(({ type }) => type === 'resync'))
    const resync = log.events.find((event) => event.type === 'resync')
    expect(resync).toMatchObject({ type: 'resync', reason: 'compacted', prefix: Buffer.from('') })
    expect(await textsOf(broker.listValues('', { revision: resync?.revision }))).toEqual([
      ['b', 'new'],
      ['seen', '1'],
    ])
    await writer.put('after', '2')
    await log.until((events) => events.at(-1)?.type === 'put')
    expect(log.lines).toEqual(['put seen=1', 'resync compacted', 'put after=2'])
  })

  test('§9.2 a watch from a revision that is compacted already begins with a resync', async () => {
    const { watcher, writer, direct } = await setUp()
    const first = await writer.put('a', '1')
    await writer.put('a', '2')
    await direct.compact()
    const log = new WatchLog(watcher.watch('', { fromRevision: first - 1 }))
    await log.until(({ length }) => length > 0)
    await writer.put('b', '1')
    await log.until(({ length }) => length > 1)
    expect(log.lines).toEqual(['resync compacted', 'put b=1'])
  })

  test('§9.4 silent death: watches go on after cuts, a frozen network and a crash of etcd, and tell that they were interrupted', async () => {
    const own = await startEtcd({ version })
    onTestFinished(() => own[Symbol.asyncDispose]())
    const proxy = await startTcpProxy(own.clientPort)
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const connection = await openConnection(proxy.endpoint)
    const writer = await openConnection(own.endpoint)
    const interruptions: string[] = []
    const watch = connection.watch('/k', { onInterrupted: ({ code }) => interruptions.push(code) })
    const log = new WatchLog(watch)
    await watch.ready()
    const writes: string[] = []
    const write = async () => {
      writes.push(`put /k=${writes.length}`)
      await eventually(() => writer.put('/k', String(writes.length - 1)), PATIENCE)
    }
    await write()
    await log.until(({ length }) => length === 1)
    proxy.cut()
    await write()
    await log.until(({ length }) => length === 2)
    proxy.freeze('responses')
    await write()
    proxy.cut()
    proxy.thaw()
    await log.until(({ length }) => length === 3)
    await own.kill()
    await own.restart()
    await write()
    await log.until(({ length }) => length === 4)
    expect(log.events.map((event) => (event.type === 'put' ? `put ${event.key}=${event.value}` : event.type))).toEqual(
      writes,
    )
    expect(interruptions.length).toBeGreaterThanOrEqual(3)
  })

  test('§9.4 the store is another one: a watch says so instead of going on as if nothing had happened', async () => {
    const own = await startEtcd({ version })
    onTestFinished(() => own[Symbol.asyncDispose]())
    const connection = await openConnection(own.endpoint)
    for (let count = 0; count < 20; count += 1) await connection.put('/a', String(count))
    await using backup = await makeTempDir('backup')
    await own.kill()
    await own.copyDataDir(`${backup.path}/data`)
    await own.restart()
    await eventually(() => connection.getRevision(), PATIENCE)
    const watch = connection.watch('/')
    const log = new WatchLog(watch)
    await watch.ready()
    await connection.put('/b', 'newer')
    await log.until(({ length }) => length > 0)
    await own.kill()
    await own.replaceDataDir(`${backup.path}/data`)
    await own.restart()
    await log.until((events) => events.some(({ type }) => type === 'resync'))
    await eventually(() => connection.put('/c', '1'), PATIENCE)
    await log.until((events) => events.at(-1)?.type === 'put')
    expect(log.lines.at(-2)).toBe('resync reset')
    expect(log.lines.at(-1)).toBe('put /c=1')
  })

  test('§9.8 closing one of several watches ends exactly that one', async () => {
    const { watcher, writer } = await setUp()
    const stops = [new AbortController(), new AbortController()]
    const logs = stops.map(({ signal }) => new WatchLog(watcher.watch('same/', { signal })))
    const other = new WatchLog(watcher.watch('same/x'))
    const ready = watcher.watch('')
    await ready.ready()
    await eventually(async () => {
      await writer.put('same/x', '0')
      for (const log of [...logs, other]) expect(log.events.length).toBeGreaterThan(0)
    }, PATIENCE)
    stops[0]?.abort(new Error('closed'))
    expect(await logs[0]?.ended).toEqual(new Error('closed'))
    await writer.put('same/x', 'last')
    for (const log of [logs[1], other]) await log?.until((events) => lastValue(events) === 'last')
    expect(lastValue(logs[0]?.events ?? [])).not.toBe('last')
  })

  test('§9.9 a watch that nothing ends any more: one that went on after a compaction ends with its signal, in etcd too', async () => {
    const own = await startEtcd({ version })
    onTestFinished(() => own[Symbol.asyncDispose]())
    const proxy = await startTcpProxy(own.clientPort)
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const connection = await openConnection(proxy.endpoint)
    const direct = await openConnection(own.endpoint)
    const end = new AbortController()
    const watch = connection.watch('/k', { signal: end.signal })
    const log = new WatchLog(watch)
    await watch.ready()
    await direct.put('/k', '1')
    await log.until(({ length }) => length === 1)
    proxy.refuse()
    proxy.cut()
    for (const value of ['2', '3']) await direct.put('/k', value)
    await direct.compact()
    await proxy.accept()
    await log.until((events) => events.some(({ type }) => type === 'resync'))
    await eventually(async () => expect(await watchersIn(own)).toBe(1), PATIENCE)
    end.abort(new Error('enough'))
    await expect(log.ended).resolves.toMatchObject({ message: 'enough' })
    await eventually(async () => expect(await watchersIn(own)).toBe(0), PATIENCE)
  })

  test('§9.10 existed: delete is true exactly when something was removed', async () => {
    const { broker } = await setUp()
    await broker.put('a', '')
    expect(await broker.delete('a')).toBe(true)
    expect(await broker.delete('a')).toBe(false)
  })

  test('§9.10 empty values: a watch delivers them, with the value before', async () => {
    const { watcher, writer } = await setUp()
    const watch = watcher.watch('')
    const log = new WatchLog(watch)
    await watch.ready()
    await writer.put('a', '')
    await writer.put('a', '1')
    await writer.put('a', '')
    await writer.delete('a')
    await log.until(({ length }) => length === 4)
    expect(log.lines).toEqual(['put a=', 'put a=1 (was )', 'put a= (was 1)', 'delete a (was )'])
  })

  test('§9.11 no timeout: every call ends with DeadlineExceeded when etcd does not answer, and at once by its signal', async () => {
    const { proxy, connection } = await setUp()
    await connection.put('/a', '1')
    proxy.freeze()
    const calls: Readonly<Record<string, (options: { signal?: AbortSignal; timeoutMs?: number }) => Promise<unknown>>> =
      {
        put: (options) => connection.put('/a', '1', options),
        'put with a lease': (options) => connection.put('/a', '1', { ...options, ttlSeconds: 10 }),
        delete: (options) => connection.delete('/a', options),
        getValue: (options) => connection.getValue('/a', options),
        getValueRev: (options) => connection.getValueRev('/a', 1, options),
        listValues: (options) => first(connection.listValues('/a', options)),
        listKeys: (options) => first(connection.listKeys('/a', options)),
        listValuesRange: (options) => connection.listValuesRange('/a', '/b', options).revision(),
        commit: (options) => connection.newTxn().put('/a', '1').commit(options),
        putIfNotExists: (options) => connection.putIfNotExists('/a', '1', options),
        compareAndSwap: (options) => connection.compareAndSwap('/a', '1', '2', options),
        compareAndDelete: (options) => connection.compareAndDelete('/a', '1', options),
        compact: (options) => connection.compact(undefined, options),
        getRevision: (options) => connection.getRevision(options),
        getLeader: (options) => connection.getLeader('/a', options),
        watch: (options) => connection.watch('/a', options).ready(),
      }
    for (const [name, call] of Object.entries(calls)) {
      await expect(call({ timeoutMs: 50 }), name).rejects.toMatchObject({ code: 'DeadlineExceeded' })
      const signal = AbortSignal.abort(new Error('enough'))
      await expect(call({ signal }), name).rejects.toThrow('enough')
      const stop = new AbortController()
      const waiting = expect(call({ signal: stop.signal }), name).rejects.toThrow('in flight')
      stop.abort(new Error('in flight'))
      await waiting
    }
    proxy.thaw()
  })

  test('§9.12 lists are paged at one revision, whatever is written meanwhile', async () => {
    const { broker, writer } = await setUp()
    const txn = (start: number) => {
      const writes = writer.newTxn()
      for (let number = start; number < start + 100; number += 1) writes.put(`k${10_000 + number}`, 'x'.repeat(1000))
      return writes.commit()
    }
    for (let start = 0; start < 2000; start += 100) await txn(start)
    const list = broker.listValues('')
    const revision = await list.revision()
    await writer.delete('k', { prefix: true })
    await writer.put('k', 'after')
    let count = 0
    for await (const item of list) {
      expect(item.revision).toBeLessThanOrEqual(revision)
      count += 1
    }
    expect(count).toBe(2000)
    expect(await textsOf(list)).toHaveLength(2000)
    expect(await textsOf(broker.listValues(''))).toEqual([['k', 'after']])
  })

  test('§9.12 a list whose revision is compacted while it is read fails, and never ends early', async () => {
    const { broker, writer, direct } = await setUp()
    for (let start = 0; start < 300; start += 100) {
      const writes = writer.newTxn()
      for (let number = start; number < start + 100; number += 1) writes.put(`k${1000 + number}`, 'x')
      await writes.commit()
    }
    const list = broker.listValues('')
    await list.revision()
    await writer.put('other', 'x')
    await direct.compact()
    await expect(textsOf(list)).rejects.toMatchObject({ code: 'Compacted' })
  })

  test('§9.16 close leaves nothing open: no socket, no watch, no lease, and every call says Closed', async () => {
    const { proxy, prefix, connection, direct } = await setUp()
    const log = new WatchLog(connection.watch(prefix))
    await connection.put(`${prefix}mine`, '1', { clientLifetime: true })
    await log.until(({ length }) => length === 1)
    expect(proxy.connectionCount).toBeGreaterThan(0)
    await connection.close()
    expect(await log.ended).toMatchObject({ code: 'Closed' })
    await eventually(() => expect(proxy.connectionCount).toBe(0), PATIENCE)
    expect(await direct.getValue(`${prefix}mine`)).toBeUndefined()
    await expect(connection.put('a', '1')).rejects.toMatchObject({ code: 'Closed' })
    await expect(connection.newBroker('x').getValue('a')).rejects.toMatchObject({ code: 'Closed' })
    expect(() => connection.watch('a')).toThrow(expect.objectContaining({ code: 'Closed' }))
    await expect(connection.campaign('a')).rejects.toMatchObject({ code: 'Closed' })
    await connection.close()
  })

  test('usingClient: watches and lists of an etcd3 client recover as well, and its close is the caller’s', async () => {
    const proxy = await startTcpProxy(etcd.clientPort)
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const prefix = newPrefix()
    const connection = openOnEtcd3(proxy.endpoint)
    const direct = await openConnection(etcd.endpoint)
    const watch = connection.watch(prefix)
    const log = new WatchLog(watch)
    await watch.ready()
    await direct.put(`${prefix}a`, '1')
    await log.until(({ length }) => length === 1)
    proxy.cut()
    await direct.put(`${prefix}a`, '2')
    await log.until(({ length }) => length === 2)
    expect(log.lines.at(-1)).toBe(`put ${prefix}a=2 (was 1)`)
    await connection.put(`${prefix}lease`, '1', { clientLifetime: true })
    const leader = await connection.campaign(`${prefix}election`)
    expect(leader.lost.aborted).toBe(false)
    const owned = new Etcd3({ hosts: etcd.endpoint })
    onTestFinished(() => owned.close())
    await EtcdConnection.usingClient(owned).close()
    expect(await owned.get(`${prefix}a`).string()).toBe('2')
  })
})

function lastValue(events: readonly WatchEvent[]): string | undefined {
  const last = events.at(-1)
  return last?.type === 'put' ? last.value.toString() : undefined
}

async function first<Item>(listing: Listing<Item>): Promise<Item | undefined> {
  for await (const item of listing) return item
  return undefined
}

/** How many watches etcd itself counts. */
async function watchersIn({ endpoint }: EtcdServer): Promise<number> {
  const metrics = await (await fetch(`${endpoint}/metrics`)).text()
  return Number(/^etcd_debugging_mvcc_watcher_total (\d+)$/m.exec(metrics)?.[1])
}
