import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { newPrefix, openConnection, PATIENCE } from '../../support/library-rig.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { eventually } from '../../support/wait.ts'

const aborted = (signal: AbortSignal) =>
  new Promise<unknown>((resolve) => signal.addEventListener('abort', () => resolve(signal.reason), { once: true }))

describe.each(['3.4', '3.5', '3.6', '3.7'] as const)('campaign on etcd %s', (version) => {
  let etcd: EtcdServer

  beforeAll(async () => {
    etcd = await startEtcd({ version })
  })

  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
  })

  test('candidates lead one after another in the order they came, also those of one connection', async () => {
    const name = newPrefix()
    const connection = await openConnection(etcd.endpoint)
    const other = await openConnection(etcd.endpoint)
    const first = await connection.campaign(name, { value: 'first' })
    const order: string[] = []
    const stand = async (from: typeof connection, value: string) => {
      const waiting = from.campaign(name, { value })
      const { count } = await eventually(async () => {
        const found = await all(connection.listKeys(name))
        if (found.length < order.length + 2) throw new Error('not there yet')
        return { count: found.length }
      }, PATIENCE)
      order.push(value)
      return { count, waiting }
    }
    const second = await stand(connection, 'second')
    const third = await stand(other, 'third')
    expect((await other.getLeader(name))?.value.toString()).toBe('first')
    await first.resign()
    const secondLed = await second.waiting
    expect((await other.getLeader(name))?.value.toString()).toBe('second')
    expect(secondLed.revision).toBeGreaterThan(first.revision)
    await secondLed.resign()
    const thirdLed = await third.waiting
    expect(thirdLed.lost.aborted).toBe(false)
    expect(first.lost.reason).toMatchObject({ code: 'LeadershipLost' })
    await thirdLed.resign()
    expect(await other.getLeader(name)).toBeUndefined()
  })

  test('an aborted candidacy leaves nothing behind and rejects with the reason', async () => {
    const name = newPrefix()
    const connection = await openConnection(etcd.endpoint)
    await connection.campaign(name)
    const stop = new AbortController()
    const waiting = connection.campaign(name, { signal: stop.signal })
    await eventually(async () => expect(await all(connection.listKeys(name))).toHaveLength(2), PATIENCE)
    stop.abort(new Error('enough'))
    await expect(waiting).rejects.toThrow('enough')
    expect(await all(connection.listKeys(name))).toHaveLength(1)
  })

  test('observe tells the leader now and every later one', async () => {
    const name = newPrefix()
    const connection = await openConnection(etcd.endpoint)
    const seen: (string | undefined)[] = []
    const stop = new AbortController()
    const watching = (async () => {
      for await (const leader of connection.observe(name, { signal: stop.signal })) seen.push(leader?.value.toString())
    })().catch((error: unknown) => error)
    await eventually(() => expect(seen).toEqual([undefined]), PATIENCE)
    const leadership = await connection.campaign(name, { value: 'a' })
    await eventually(() => expect(seen).toEqual([undefined, 'a']), PATIENCE)
    await leadership.resign()
    await eventually(() => expect(seen).toEqual([undefined, 'a', undefined]), PATIENCE)
    stop.abort(new Error('enough'))
    expect(await watching).toEqual(new Error('enough'))
  })

  test('§9.17: a leader that is cut off is told before etcd gives the leadership to the next, and can stand again', async () => {
    const name = newPrefix()
    const proxy = await startTcpProxy(etcd.clientPort)
    await using cut = await openConnection(proxy.endpoint, { sessionTtlSeconds: 2, operationTimeoutMs: 1000 })
    const other = await openConnection(etcd.endpoint)
    const leadership = await cut.campaign(name, { value: 'cut' })
    const next = other.campaign(name, { value: 'next' })
    const lost = aborted(leadership.lost)
    proxy.freeze()
    expect(await lost).toMatchObject({ code: 'LeadershipLost', retryable: true })
    const nextLed = await next
    proxy.thaw()
    const again = cut.campaign(name, { value: 'again' })
    await eventually(async () => expect(await all(other.listKeys(name))).toHaveLength(2), PATIENCE)
    await nextLed.resign()
    expect((await again).lost.aborted).toBe(false)
    await cut.close()
    await proxy[Symbol.asyncDispose]()
  })

  test('lost tells when somebody deletes the key, and when the connection is closed', async () => {
    const name = newPrefix()
    const connection = await openConnection(etcd.endpoint)
    const leadership = await connection.campaign(name)
    const lost = aborted(leadership.lost)
    expect(await connection.delete(leadership.key)).toBe(true)
    expect(await lost).toMatchObject({ code: 'LeadershipLost' })
    const closing = await openConnection(etcd.endpoint)
    const second = await closing.campaign(name)
    await closing.close()
    expect(second.lost.aborted).toBe(true)
    expect(await connection.getLeader(name)).toBeUndefined()
  })

  test('§9.16 and §9.17: client-lifetime keys go with close, and work again after the lease has expired', async () => {
    const prefix = newPrefix()
    const proxy = await startTcpProxy(etcd.clientPort)
    const other = await openConnection(etcd.endpoint)
    await using connection = await openConnection(proxy.endpoint, { sessionTtlSeconds: 2, operationTimeoutMs: 1000 })
    await connection.put(`${prefix}a`, '1', { clientLifetime: true })
    proxy.freeze()
    await eventually(async () => expect(await other.getValue(`${prefix}a`)).toBeUndefined(), PATIENCE)
    proxy.thaw()
    await eventually(() => connection.put(`${prefix}a`, '2', { clientLifetime: true }), PATIENCE)
    expect((await other.getValue(`${prefix}a`))?.value.toString()).toBe('2')
    await connection.close()
    expect(await other.getValue(`${prefix}a`)).toBeUndefined()
    await proxy[Symbol.asyncDispose]()
  })

  test('a client-lifetime put works with a lease that somebody revoked', async () => {
    const prefix = newPrefix()
    const connection = await openConnection(etcd.endpoint, { sessionTtlSeconds: 300 })
    await connection.put(`${prefix}a`, '1', { clientLifetime: true })
    const leases = await etcd.etcdctl(['lease', 'list'])
    for (const [id] of leases.matchAll(/^[0-9a-f]{12,}$/gm)) await etcd.etcdctl(['lease', 'revoke', id])
    expect(await connection.getValue(`${prefix}a`)).toBeUndefined()
    await connection.put(`${prefix}a`, '2', { clientLifetime: true })
    expect((await connection.getValue(`${prefix}a`))?.value.toString()).toBe('2')
  })
})

async function all<Item>(items: AsyncIterable<Item>): Promise<readonly Item[]> {
  const found: Item[] = []
  for await (const item of items) found.push(item)
  return found
}
