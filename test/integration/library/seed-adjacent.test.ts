import { beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { newPrefix, openConnection, WatchLog } from '../../support/library-rig.ts'

/** Tests of the seed's other stores that say how watches end, under the names they have there. */
describe.each(['3.4', '3.5', '3.6', '3.7'] as const)('watches on etcd %s', (version) => {
  let etcd: EtcdServer

  beforeAll(async () => {
    etcd = await startEtcd({ version })
    return () => etcd[Symbol.asyncDispose]()
  })

  async function setUp() {
    const connection = await openConnection(etcd.endpoint)
    const prefix = newPrefix()
    return { broker: connection.newBroker(prefix), watcher: connection.newWatcher(prefix) }
  }

  test('TestClosedWatch: one of two watches of a prefixed watcher ends, the other goes on; then all end', async () => {
    const { broker, watcher } = await setUp()
    const all = new AbortController()
    const first = new AbortController()
    const open = (key: string, signal: AbortSignal) => {
      const watch = watcher.watch(key, { signal })
      return { ready: watch.ready(), log: new WatchLog(watch) }
    }
    const a = open('a/', AbortSignal.any([all.signal, first.signal]))
    const b = open('b/', all.signal)
    await Promise.all([a.ready, b.ready])
    for (const key of ['a/1', 'b/1']) await broker.put(key, '1')
    await Promise.all([a, b].map(({ log }) => log.until(({ length }) => length === 1)))
    first.abort(new Error('a is enough'))
    expect(await a.log.ended).toEqual(new Error('a is enough'))
    for (const key of ['a/2', 'b/2']) await broker.put(key, '2')
    await b.log.until(({ length }) => length === 2)
    expect(a.log.lines).toEqual(['put a/1=1'])
    all.abort(new Error('all is enough'))
    expect(await b.log.ended).toEqual(new Error('all is enough'))
    await broker.put('b/3', '3')
    expect(b.log.lines).toEqual(['put b/1=1', 'put b/2=2'])
  })

  test('TestReuseCloseChannel: one signal ends watches of overlapping prefixes, each with its own events', async () => {
    const { broker, watcher } = await setUp()
    const stop = new AbortController()
    const watches = ['a', 'a/b/', 'a/b/c'].map((prefix) => watcher.watch(prefix, { signal: stop.signal }))
    const logs = watches.map((watch) => new WatchLog(watch))
    await Promise.all(watches.map((watch) => watch.ready()))
    for (const key of ['a/x', 'a/b/y', 'a/b/c']) await broker.put(key, '1')
    await Promise.all(logs.map((log, index) => log.until(({ length }) => length === 3 - index)))
    expect(logs.map(({ lines }) => lines)).toEqual([
      ['put a/x=1', 'put a/b/y=1', 'put a/b/c=1'],
      ['put a/b/y=1', 'put a/b/c=1'],
      ['put a/b/c=1'],
    ])
    stop.abort(new Error('enough'))
    expect(await Promise.all(logs.map(({ ended }) => ended))).toEqual(Array(3).fill(new Error('enough')))
    // The signal is spent: a new watch with it does not begin.
    expect(await new WatchLog(watcher.watch('a', { signal: stop.signal })).ended).toEqual(new Error('enough'))
  })
})
