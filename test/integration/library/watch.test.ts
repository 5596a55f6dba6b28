import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { newPrefix, openConnection, PATIENCE, WatchLog } from '../../support/library-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { eventually } from '../../support/wait.ts'

const MIB = 1024 * 1024

describe.each(['3.4', '3.7'] as const)('watch on etcd %s', (version) => {
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
    return { proxy, prefix, connection, watcher: connection.newWatcher(prefix), writer: direct.newBroker(prefix) }
  }

  test('a thousand watches of one connection share its two sockets, and all go on after a cut', async () => {
    const { proxy, watcher, writer } = await setUp()
    const names = Array.from({ length: 1000 }, (_, number) => String(number).padStart(4, '0'))
    const watches = names.map((name) => watcher.watch(name))
    await Promise.all(watches.map((watch) => watch.ready()))
    const logs = watches.map((watch) => new WatchLog(watch))
    const writeAll = async (value: string) => {
      for (let start = 0; start < names.length; start += 100) {
        const txn = writer.newTxn()
        for (const name of names.slice(start, start + 100)) txn.put(name, value)
        await txn.commit()
      }
    }
    await writeAll('1')
    await eventually(() => expect(logs.filter(({ events }) => events.length !== 1)).toEqual([]), PATIENCE)
    expect(proxy.connectionCount).toBe(2)
    proxy.cut()
    await writeAll('2')
    await eventually(() => expect(logs.filter(({ events }) => events.length !== 2)).toEqual([]), PATIENCE)
    expect(logs.map(({ lines }) => lines)).toEqual(names.map((name) => [`put ${name}=1`, `put ${name}=2 (was 1)`]))
  })

  test('several prefixes: what is below two of them is delivered once, and each is in order', async () => {
    const { watcher, writer } = await setUp()
    const watch = watcher.watch(['a/', 'a/b/', 'c'])
    const log = new WatchLog(watch)
    await watch.ready()
    await writer.newTxn().put('a/1', 'x').put('a/b/2', 'x').put('c', 'x').put('d', 'x').commit()
    await writer.put('a/b/2', 'y')
    await writer.delete('c')
    await log.until(({ length }) => length >= 5)
    const below = (start: string) => log.lines.filter((line) => line.split(' ')[1]?.startsWith(start))
    expect(below('a/')).toEqual(['put a/1=x', 'put a/b/2=x', 'put a/b/2=y (was x)'])
    expect(below('c')).toEqual(['put c=x', 'delete c (was x)'])
    expect(log.events).toHaveLength(5)
  })

  test('all prefixes of a watch begin at one revision', async () => {
    const { watcher, writer } = await setUp()
    const watch = watcher.watch(['a', 'b'])
    const start = await watch.ready()
    await writer.newTxn().put('a', '1').put('b', '1').commit()
    const log = new WatchLog(watch)
    await log.until(({ length }) => length === 2)
    expect(log.events.every(({ revision }) => revision === start + 1)).toBe(true)
  })

  test('a consumer that does not take its events holds a bounded part of them, and gets all of them in the end', async () => {
    const { watcher, writer } = await setUp()
    const interruptions: string[] = []
    const slow = watcher.watch('big', { onInterrupted: ({ message }) => interruptions.push(message) })
    const events = slow[Symbol.asyncIterator]()
    const quick = new WatchLog(watcher.watch('small'))
    await slow.ready()
    await writer.put('big', '0')
    expect((await events.next()).value).toMatchObject({ type: 'put' })
    for (let number = 1; number <= 80; number += 1) await writer.put('big', Buffer.alloc(MIB, number))
    await writer.put('small', '1')
    await quick.until(({ length }) => length === 1)
    for (let number = 1; number <= 80; number += 1) {
      const { value: event } = await events.next()
      expect([event?.type, event?.value?.[0]]).toEqual(['put', number])
    }
    expect(interruptions).toContain('Cannot hold more events: they were not taken fast enough')
    await events.return?.()
  })

  test('a watch that cannot start because etcd is away says so, and the next one works', async () => {
    const { proxy, connection, writer } = await setUp()
    proxy.refuse()
    const watch = connection.watch('/', { timeoutMs: 300 })
    await expect(watch.ready()).rejects.toMatchObject({ retryable: true })
    expect(await new WatchLog(watch).ended).toMatchObject({ retryable: true })
    await proxy.accept()
    const log = new WatchLog(connection.watch('/', { fromRevision: await writer.put('a', '1') }))
    await writer.put('a', '2')
    await log.until((events) => events.length > 0)
  })

  test('a watch from a known revision waits for etcd instead of failing', async () => {
    const { proxy, watcher, writer } = await setUp()
    const fromRevision = await writer.put('a', '1')
    proxy.refuse()
    const interruptions: string[] = []
    const watch = watcher.watch('', {
      fromRevision,
      timeoutMs: 300,
      onInterrupted: ({ code }) => interruptions.push(code),
    })
    const log = new WatchLog(watch)
    await eventually(() => expect(interruptions.length).toBeGreaterThan(1), PATIENCE)
    await writer.put('a', '2')
    await proxy.accept()
    await log.until(({ length }) => length === 1)
    expect(log.lines).toEqual(['put a=2 (was 1)'])
  })

  test('breaking out of a watch ends it, and the others of the connection go on', async () => {
    const { watcher, writer } = await setUp()
    const log = new WatchLog(watcher.watch('a'))
    const watch = watcher.watch('a')
    await watch.ready()
    await writer.put('a', '1')
    for await (const event of watch) {
      expect(event.type).toBe('put')
      break
    }
    await log.until(({ length }) => length > 0)
    const before = log.events.length
    await writer.put('a', '2')
    await log.until(({ length }) => length > before)
  })
})
