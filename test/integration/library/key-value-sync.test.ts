import { join } from 'node:path'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { KeyValueSync } from '../../../src/library/key-value-sync.ts'
import { Resync } from '../../../src/library/resync.ts'
import type { SyncEvent } from '../../../src/library/sync-event.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { newPrefix, openConnection } from '../../support/library-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { eventually } from '../../support/wait.ts'

describe.each(['3.4', '3.5', '3.6', '3.7'] as const)('KeyValueSync on etcd %s', (version) => {
  let etcd: EtcdServer

  beforeAll(async () => {
    etcd = await startEtcd({ version })
    return () => etcd[Symbol.asyncDispose]()
  })

  async function setUp({ endpoint = etcd.endpoint, resync }: { endpoint?: string; resync?: Resync } = {}) {
    const prefix = newPrefix()
    const connection = await openConnection(etcd.endpoint)
    const own = await openConnection(endpoint)
    const parts = { broker: own.newBroker(prefix), watcher: own.newWatcher(prefix) }
    const sync = new KeyValueSync(resync === undefined ? parts : { ...parts, resync })
    return { sync, connection, prefix, broker: connection.newBroker(prefix) }
  }

  /** `put a=2 (was 1)`, `resync start a=1,b=2 without c`. */
  function lineOf(event: SyncEvent): string {
    if (event.type !== 'resync') {
      const was = event.previousValue === undefined ? '' : ` (was ${event.previousValue})`
      return `${event.type} ${event.key}${event.value === undefined ? '' : `=${event.value}`}${was}`
    }
    const values = [...event.values.values()].flat().map(({ key, value }) => `${key}=${value}`)
    const gone = event.obsolete.map(({ key }) => ` without ${key}`).join('')
    return `resync ${event.reason} ${values.join(',')}${gone}`
  }

  /** Takes events in the background until the test ends. */
  class Follower {
    readonly lines: string[] = []
    readonly state = new Map<string, string>()
    readonly ended: Promise<unknown>
    /** What to say of an event; undefined = that it worked. */
    verdict: (line: string, event: SyncEvent) => unknown = () => undefined
    readonly #stop = new AbortController()

    constructor(sync: KeyValueSync, prefixes: readonly string[], name = 'test') {
      const subscription = sync.subscribe(name, prefixes, { signal: this.#stop.signal })
      this.requestResync = () => subscription.requestResync()
      this.ended = this.#follow(subscription).catch((error: unknown) => error)
      onTestFinished(() => this.#stop.abort())
    }

    readonly requestResync: () => Promise<void>

    async until(...expected: string[]): Promise<void> {
      await eventually(() => expect(this.lines.slice(-expected.length)).toEqual(expected), { timeoutMs: 60_000 })
    }

    async #follow(events: AsyncIterable<SyncEvent>): Promise<void> {
      for await (const event of events) {
        this.lines.push(lineOf(event))
        const failure = this.verdict(lineOf(event), event)
        if (failure === undefined) this.#apply(event)
        event.done(failure)
      }
    }

    #apply(event: SyncEvent): void {
      if (event.type === 'resync') {
        this.state.clear()
        for (const { key, value } of [...event.values.values()].flat()) this.state.set(key.toString(), value.toString())
      } else if (event.value === undefined) this.state.delete(event.key.toString())
      else this.state.set(event.key.toString(), event.value.toString())
    }
  }

  test('KeyValueSync: the complete state of every prefix, then changes with the values known before', async () => {
    const { sync, broker } = await setUp()
    for (const key of ['a/1', 'b/1', 'c/1']) await broker.put(key, 'old')
    const follower = new Follower(sync, ['a/', 'b/'])
    await follower.until('resync start a/1=old,b/1=old')
    await broker.put('a/1', 'new')
    await broker.put('c/1', 'not subscribed')
    await broker.put('b/2', '')
    await broker.delete('a/1')
    await eventually(() => expect(follower.lines).toHaveLength(4), { timeoutMs: 60_000 })
    // Two prefixes are two orders.
    const below = (prefix: string) =>
      follower.lines.filter((line) => /^(put|delete)/.test(line) && line.includes(` ${prefix}`))
    expect(below('a/')).toEqual(['put a/1=new (was old)', 'delete a/1 (was new)'])
    expect(below('b/')).toEqual(['put b/2='])
  })

  test('TestDeleteNonExisting: the delete of a key that the subscriber does not know is nothing', async () => {
    const { sync, connection, prefix, broker } = await setUp()
    await broker.put('a', '1')
    const follower = new Follower(sync, [''])
    await follower.until('resync start a=1')
    // In one transaction: what is put and deleted later never was there for a subscriber that was told so.
    await broker.delete('nothing')
    await connection.newTxn().put(`${prefix}b`, '2').delete(`${prefix}x/`, { prefix: true }).commit()
    await follower.until('resync start a=1', 'put b=2')
  })

  test('TestRuntimeResync: after a resync that dropped a key its previous value is gone, and right again at the next update', async () => {
    const { sync, broker } = await setUp()
    await broker.put('a', '1')
    const follower = new Follower(sync, [''])
    await follower.until('resync start a=1')
    follower.verdict = (line) => (line === 'delete a (was 1)' ? new Error('not now') : undefined)
    await broker.delete('a')
    await eventually(() => expect(follower.lines).toContain('delete a (was 1)'))
    await follower.requestResync()
    expect(follower.lines.at(-1)).toBe('resync request  without a')
    await broker.put('a', '2')
    await broker.put('a', '3')
    await follower.until('put a=2', 'put a=3 (was 2)')
  })

  test('KeyValueSync delivers again what the subscriber could not handle, until it can (§9.7)', async () => {
    const { sync, broker } = await setUp()
    await broker.put('a', '1')
    let failures = 3
    const attempts: number[] = []
    const follower = new Follower(sync, [''])
    follower.verdict = (_line, { attempt }) => {
      attempts.push(attempt)
      return failures-- > 0 ? new Error('not now') : undefined
    }
    await eventually(() => expect(attempts).toEqual([1, 2, 3, 4]), { timeoutMs: 60_000 })
    failures = 2
    await broker.put('a', '2')
    await broker.put('a', '3')
    await follower.until('put a=2 (was 1)', 'put a=2 (was 1)', 'put a=2 (was 1)', 'put a=3 (was 2)')
    expect(follower.state).toEqual(new Map([['a', '3']]))
  })

  test('KeyValueSync: changes between the list and the watch are not lost (§9.1)', async () => {
    const { sync, broker } = await setUp()
    await broker.put('a', '1')
    const follower = new Follower(sync, [''])
    follower.verdict = (line) => {
      // Behind the list, and before the watch is open.
      if (line === 'resync start a=1') void broker.put('a', '2')
    }
    await follower.until('resync start a=1', 'put a=2 (was 1)')
  })

  test('KeyValueSync: deletes behind a compaction are found (§9.2)', async () => {
    await using proxy = await startTcpProxy(etcd.clientPort)
    const { sync, connection, broker } = await setUp({ endpoint: proxy.endpoint })
    for (const key of ['a', 'b', 'c']) await broker.put(key, '1')
    const follower = new Follower(sync, [''])
    await follower.until('resync start a=1,b=1,c=1')
    proxy.refuse()
    proxy.cut()
    await broker.delete('b')
    await broker.put('c', '2')
    await broker.put('d', '1')
    await connection.compact()
    await proxy.accept()
    await follower.until('resync compacted a=1,c=2,d=1 without b')
    await broker.put('c', '3')
    await follower.until('put c=3 (was 2)')
  })

  test('KeyValueSync: a store that was restored is told as a reset, with what is gone', async () => {
    await using own = await startEtcd({ version })
    await using directory = await makeTempDir('restore')
    const writer = await openConnection(own.endpoint)
    await writer.put('/a', '1')
    const backup = join(directory.path, 'backup')
    await own.kill()
    await own.copyDataDir(backup)
    await own.restart()
    await writer.put('/b', '1')
    const reader = await openConnection(own.endpoint)
    const follower = new Follower(new KeyValueSync({ broker: reader, watcher: reader }), ['/'])
    await follower.until('resync start /a=1,/b=1')
    await own.kill()
    await own.replaceDataDir(backup)
    await own.restart()
    await follower.until('resync reset /a=1 without /b')
  })

  test('KeyValueSync goes on over a cut without a resync', async () => {
    await using proxy = await startTcpProxy(etcd.clientPort)
    const { sync, broker } = await setUp({ endpoint: proxy.endpoint })
    const follower = new Follower(sync, [''])
    await follower.until('resync start ')
    for (const value of ['1', '2', '3']) {
      proxy.cut()
      await broker.put('a', value)
    }
    await follower.until('resync start ', 'put a=1', 'put a=2 (was 1)', 'put a=3 (was 2)')
  })

  test('KeyValueSync begins once etcd is there', async () => {
    await using proxy = await startTcpProxy(etcd.clientPort)
    proxy.refuse()
    const { sync, broker } = await setUp({ endpoint: proxy.endpoint })
    await broker.put('a', '1')
    const follower = new Follower(sync, [''])
    await proxy.accept()
    await follower.until('resync start a=1')
  })

  test('KeyValueSync with a Resync: a round is acknowledged once the state was taken', async () => {
    const resync = new Resync()
    const { sync, broker } = await setUp({ resync })
    await broker.put('a', '1')
    const follower = new Follower(sync, [''])
    await follower.until('resync start a=1')
    let failures = 2
    follower.verdict = (line) =>
      line.startsWith('resync request') && failures-- > 0 ? new Error('not now') : undefined
    expect(await resync.doResync()).toEqual([{ subscriber: 'test', attempts: 1, error: undefined }])
    expect(follower.lines).toEqual(['resync start a=1', ...Array(3).fill('resync request a=1')])
  })

  test('KeyValueSync.subscribe: names are unique while they last; break ends a subscription and frees its name', async () => {
    const resync = new Resync()
    const { sync } = await setUp({ resync })
    const subscription = sync.subscribe('one', [''])
    for (const wrong of [() => sync.subscribe('one', ['']), () => sync.subscribe('two', [])]) {
      expect(wrong).toThrow(expect.objectContaining({ code: 'InvalidArgument' }))
    }
    const waiting = subscription.requestResync().catch((error: unknown) => error)
    for await (const _ of subscription) break
    expect(await waiting).toMatchObject({ code: 'Closed' })
    sync.subscribe('one', [''])
  })

  test('KeyValueSync: an abort ends the subscription with its reason, a closed connection with Closed', async () => {
    const { sync, broker } = await setUp()
    await broker.put('a', '1')
    const stop = new AbortController()
    const events = sync.subscribe('aborted', [''], { signal: stop.signal })[Symbol.asyncIterator]()
    await events.next()
    const next = events.next()
    stop.abort(new Error('enough'))
    await expect(next).rejects.toThrow('enough')
    const connection = await openConnection(etcd.endpoint)
    const closing = new KeyValueSync({ broker: connection, watcher: connection })
    const others = closing.subscribe('closed', ['/nothing/'])[Symbol.asyncIterator]()
    await others.next()
    const last = others.next()
    await connection.close()
    await expect(last).rejects.toMatchObject({ code: 'Closed' })
  })
})
