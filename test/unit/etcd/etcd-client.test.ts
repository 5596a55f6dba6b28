import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { status } from '@grpc/grpc-js'
import Long from 'long'
import { describe, expect, onTestFinished, test } from 'vitest'
import { etcdserverpb as pb } from '../../../src/etcd/generated/rpc.js'
import type { WatchResponse } from '../../../src/etcd/messages.ts'
import type { UnaryMethod } from '../../../src/etcd/methods.ts'
import type { EtcdRpc } from '../../../src/etcd/rpc.ts'
import { systemClock } from '../../../src/util/clock.ts'
import { freePort } from '../../support/free-port.ts'
import { openClient } from '../../support/scripted-client.ts'
import { startSilentServer } from '../../support/scripted-silent-server.ts'
import { headerAt, type ScriptedCall, startScriptedServer } from '../../support/scripted-watch-server.ts'
import { startTcpProxy } from '../../support/tcp-proxy.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { eventually } from '../../support/wait.ts'

const key = Buffer.from('/k')
const never = { signal: new AbortController().signal }
const rangeAt = (revision: number) => pb.RangeResponse.encode({ header: headerAt(revision) }).finish()
const read = (client: EtcdRpc, options = never) => client.unary('range', { key }, options)
const write = (client: EtcdRpc, options = never) => client.unary('put', { key, value: key }, options)

/** Every call that changes something, with a request. */
const WRITES: readonly ((client: EtcdRpc) => Promise<unknown>)[] = [
  write,
  (client) => client.unary('deleteRange', { key }, never),
  (client) => client.unary('txn', { compare: [], success: [], failure: [] }, never),
  (client) => client.unary('compact', { revision: 1, physical: false }, never),
  (client) => client.unary('leaseGrant', { ttlSeconds: 1 }, never),
  (client) => client.unary('leaseRevoke', { id: 1n }, never),
]

async function silentServer(): Promise<string> {
  const hole = await startSilentServer()
  onTestFinished(() => hole[Symbol.asyncDispose]())
  return hole.endpoint
}

async function scripted(onCall?: (call: ScriptedCall) => void) {
  const server = await startScriptedServer()
  onTestFinished(() => server[Symbol.asyncDispose]())
  if (onCall) server.onCall = onCall
  return server
}

const nobody = async () => `127.0.0.1:${await freePort()}`

describe('EtcdClient.unary', () => {
  test('asks for a leader and hands the decoded answer out', async () => {
    const server = await scripted((call) => call.reply(rangeAt(12)))
    using client = await openClient(server.endpoint)
    expect(await read(client)).toMatchObject({ header: { revision: 12, clusterId: 7n }, kvs: [] })
    expect(server.calls).toMatchObject([{ method: 'range', hasLeader: true, token: undefined }])
    expect(client.endpoint).toBe(server.endpoint)
  })

  test('goes over all endpoints until one answers, and stays there', async () => {
    const server = await scripted((call) => call.reply(rangeAt(12)))
    using client = await openClient([await nobody(), await nobody(), server.endpoint])
    expect(await read(client)).toMatchObject({ header: { revision: 12 } })
    await write(client)
    expect(client.endpoint).toBe(server.endpoint)
  })

  test('a write goes on to the next endpoint when it was certainly never sent', async () => {
    const server = await scripted()
    using client = await openClient([await nobody(), server.endpoint])
    await write(client)
    expect(server.calls).toHaveLength(1)
  })

  test.each([
    ['etcdserver: no leader', 'NoLeader'],
    ['etcdserver: request timed out', 'Unavailable'],
    ['etcdserver: rpc not supported for learner', 'Learner'],
    ['etcdserver: server stopped', 'Unavailable'],
  ])('a read is sent to the second endpoint after "%s"; a write never is', async (details, code) => {
    const first = await scripted((call) => call.fail(status.UNAVAILABLE, details))
    const second = await scripted((call) => call.reply())
    for (const send of WRITES) {
      using client = await openClient([first.endpoint, second.endpoint])
      await expect(send(client)).rejects.toMatchObject({ code, retryable: true })
    }
    expect(first.calls).toHaveLength(WRITES.length)
    expect(second.calls).toHaveLength(0)
    using client = await openClient([first.endpoint, second.endpoint])
    await read(client)
    expect(second.calls).toHaveLength(1)
  })

  test('a write whose connection is lost under way is not sent again; the next call uses the next endpoint', async () => {
    const first = await scripted(() => proxy.cut())
    const proxy = await startTcpProxy(first.port)
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const second = await scripted()
    using client = await openClient([`127.0.0.1:${proxy.port}`, second.endpoint])
    await expect(write(client)).rejects.toMatchObject({ code: 'Unavailable', retryable: true })
    expect([first.calls.length, second.calls.length]).toEqual([1, 0])
    await write(client)
    expect([first.calls.length, second.calls.length]).toEqual([1, 1])
  })

  test('a read whose connection is lost under way is answered by the next endpoint', async () => {
    const first = await scripted(() => proxy.cut())
    const proxy = await startTcpProxy(first.port)
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    const second = await scripted((call) => call.reply(rangeAt(12)))
    using client = await openClient([`127.0.0.1:${proxy.port}`, second.endpoint])
    expect(await read(client)).toMatchObject({ header: { revision: 12 } })
  })

  test('calls that fail at one endpoint together move on by one', async () => {
    const waiting: ScriptedCall[] = []
    const first = await scripted((call) => waiting.push(call))
    const second = await scripted()
    using client = await openClient([first.endpoint, second.endpoint, await nobody()])
    const writes = Promise.allSettled([write(client), write(client)])
    await eventually(() => expect(waiting).toHaveLength(2))
    for (const call of waiting) call.fail(status.UNAVAILABLE, 'etcdserver: no leader')
    await writes
    expect(client.endpoint).toBe(second.endpoint)
  })

  test('does not try another endpoint when the server refused the request itself', async () => {
    const first = await scripted((call) => call.fail(status.NOT_FOUND, 'etcdserver: requested lease not found'))
    const second = await scripted()
    using client = await openClient([first.endpoint, second.endpoint])
    await expect(client.unary('leaseTimeToLive', { id: 1n }, never)).rejects.toMatchObject({
      code: 'InvalidRequest',
      retryable: false,
    })
    expect(client.endpoint).toBe(first.endpoint)
    expect(second.calls).toHaveLength(0)
  })

  test('fails with the last failure when no endpoint serves, each tried once', async () => {
    const servers = await Promise.all([1, 2, 3].map(() => scripted((call) => call.fail(14, 'etcdserver: no leader'))))
    using client = await openClient(servers.map(({ endpoint }) => endpoint))
    await expect(read(client)).rejects.toMatchObject({ code: 'NoLeader' })
    expect(servers.map(({ calls }) => calls.length)).toEqual([1, 1, 1])
  })

  test('ends at its deadline when the server does not answer, and turns away from it', async () => {
    const silent = await scripted(() => {})
    const second = await scripted()
    using client = await openClient([silent.endpoint, second.endpoint], { operationTimeoutMs: 100 })
    await expect(read(client)).rejects.toMatchObject({ code: 'DeadlineExceeded', retryable: true })
    await silent.calls[0]?.cancelled
    expect(client.endpoint).toBe(second.endpoint)
    await expect(client.unary('range', { key }, { ...never, timeoutMs: 50 })).resolves.toBeDefined()
  })

  test('does not turn back to a silent endpoint when its timer fires early', async () => {
    const silent = await scripted(() => {})
    const second = await scripted(() => {})
    // A clock that stands still: there always seems to be time left.
    const clock = { ...systemClock, monotonic: () => 0 }
    using client = await openClient([silent.endpoint, second.endpoint], { operationTimeoutMs: 50, clock })
    await expect(read(client)).rejects.toMatchObject({ code: 'DeadlineExceeded' })
    expect(client.endpoint).toBe(second.endpoint)
    expect(second.calls).toHaveLength(0)
  })

  test('timeoutMs of the call wins over the operation timeout', async () => {
    const server = await scripted(() => {})
    using client = await openClient(server.endpoint, { operationTimeoutMs: 60_000 })
    await expect(client.unary('range', { key }, { ...never, timeoutMs: 50 })).rejects.toMatchObject({
      code: 'DeadlineExceeded',
    })
  })

  test('gives an address that accepts and never speaks up after the dial timeout', async () => {
    const server = await scripted((call) => call.reply(rangeAt(12)))
    const options = { dialTimeoutMs: 50, operationTimeoutMs: 60_000 }
    const hole = await silentServer()
    using alone = await openClient(hole, options)
    await expect(read(alone)).rejects.toMatchObject({ code: 'Unavailable', message: expect.stringContaining(hole) })
    using client = await openClient([hole, server.endpoint], options)
    expect(await Promise.all([read(client), read(client), read(client)])).toMatchObject(
      Array(3).fill({ header: { revision: 12 } }),
    )
  })

  test('a slow answer may take longer than the dial timeout', async () => {
    const waiting: ScriptedCall[] = []
    const server = await scripted((call) => waiting.push(call))
    using client = await openClient(server.endpoint, { dialTimeoutMs: 30 })
    const answer = read(client)
    await new Promise((resolve) => setTimeout(resolve, 100))
    waiting[0]?.reply(rangeAt(12))
    expect(await answer).toMatchObject({ header: { revision: 12 } })
  })

  test('rethrows the abort reason as it is, cancels the call at the server, and calls nobody when aborted before', async () => {
    const server = await scripted(() => {})
    using client = await openClient(server.endpoint, { operationTimeoutMs: 60_000 })
    const reason = new Error('enough')
    const controller = new AbortController()
    const answer = read(client, controller)
    await eventually(() => expect(server.calls).toHaveLength(1))
    controller.abort(reason)
    await expect(answer).rejects.toBe(reason)
    await server.calls[0]?.cancelled
    await expect(read(client, controller)).rejects.toBe(reason)
    expect(server.calls).toHaveLength(1)
  })

  test('notices an abort that comes in the same turn as the call', async () => {
    const server = await scripted(() => {})
    using client = await openClient(server.endpoint, { operationTimeoutMs: 60_000 })
    const reason = new Error('enough')
    const controller = new AbortController()
    const answer = read(client, controller)
    controller.abort(reason)
    await expect(answer).rejects.toBe(reason)
  })

  test('a malformed answer is a ProtocolError and tried at the next endpoint', async () => {
    const first = await scripted((call) => call.reply(Buffer.from([0x0a, 0x7f])))
    const second = await scripted((call) => call.reply(rangeAt(12)))
    using alone = await openClient(first.endpoint)
    await expect(read(alone)).rejects.toMatchObject({ code: 'ProtocolError', retryable: true })
    await expect(write(alone)).rejects.toMatchObject({ code: 'ProtocolError', retryable: true })
    using client = await openClient([first.endpoint, second.endpoint])
    expect(await read(client)).toMatchObject({ header: { revision: 12 } })
  })

  test('an answer beyond the receive limit is told as too large', async () => {
    const server = await scripted((call) => call.reply(Buffer.alloc(64 * 1024 * 1024 + 1)))
    using client = await openClient(server.endpoint)
    await expect(read(client)).rejects.toMatchObject({ code: 'MessageTooLarge', retryable: true })
  })

  test('an unknown host name is told as a failed connection, whatever the name', async () => {
    using client = await openClient('etcd-tls-learner.invalid:2379')
    await expect(read(client)).rejects.toMatchObject({ code: 'Unavailable', retryable: true })
  })

  test('counts every try by method and result', async () => {
    const first = await scripted((call) => call.fail(status.UNAVAILABLE, 'etcdserver: no leader'))
    const second = await scripted((call) => call.reply())
    const counted: string[] = []
    const metrics = {
      add: (name: string, { method, result }: { method?: string; result?: string }) =>
        counted.push(`${name} ${method} ${result}`),
      set() {},
      observe() {},
    }
    using client = await openClient([first.endpoint, second.endpoint], { metrics })
    await read(client)
    expect(counted).toEqual([
      'etcd_mirror_etcd_requests_total range NoLeader',
      'etcd_mirror_etcd_requests_total range ok',
    ])
  })
})

describe('EtcdClient.watch', () => {
  test('uses a connection of its own', async () => {
    const server = await scripted()
    const proxy = await startTcpProxy(server.port)
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    using client = await openClient(`127.0.0.1:${proxy.port}`)
    await read(client)
    const duplex = await client.watch(never)
    duplex.create({ key, startRevision: 1 })
    await server.nextStream()
    expect(proxy.connectionCount).toBe(2)
    duplex.close()
  })

  test('delivers what came before the failure, then the translated failure, then nothing more', async () => {
    const server = await scripted()
    using client = await openClient(server.endpoint)
    const duplex = await client.watch(never)
    duplex.create({ key, startRevision: 1 })
    const stream = await server.nextStream()
    stream.send({ created: true })
    stream.send({ events: [{ key: 'a', revision: 2 }] })
    stream.fail(status.UNAVAILABLE, 'etcdserver: no leader')
    const seen: WatchResponse[] = []
    const reading = (async () => {
      for await (const response of duplex.responses) seen.push(response)
    })()
    await expect(reading).rejects.toMatchObject({ code: 'NoLeader', retryable: true })
    expect(seen.map(({ events }) => events.length)).toEqual([0, 1])
  })

  test('ends without an error after close, and tells the server', async () => {
    const server = await scripted()
    using client = await openClient(server.endpoint)
    const duplex = await client.watch(never)
    duplex.create({ key, startRevision: 1 })
    const stream = await server.nextStream()
    stream.send({ created: true })
    for await (const response of duplex.responses) {
      expect(response.created).toBe(true)
      duplex.close()
    }
    await stream.closed
    expect(() => duplex.requestProgress()).not.toThrow()
  })

  test('gives an address that accepts and never speaks up after the dial timeout, and rotates', async () => {
    const server = await scripted()
    const hole = await silentServer()
    using client = await openClient([hole, server.endpoint], { dialTimeoutMs: 50 })
    const first = await client.watch(never)
    await expect(Array.fromAsync(first.responses)).rejects.toMatchObject({ code: 'Unavailable' })
    const second = await client.watch(never)
    second.create({ key, startRevision: 1 })
    await server.nextStream()
    second.close()
  })

  test('a failing watch does not move unary calls to another endpoint', async () => {
    const first = await scripted()
    const second = await scripted()
    using client = await openClient([first.endpoint, second.endpoint])
    const duplex = await client.watch(never)
    duplex.create({ key, startRevision: 1 })
    ;(await first.nextStream()).fail()
    await expect(Array.fromAsync(duplex.responses)).rejects.toMatchObject({ code: 'Unavailable' })
    expect(client.endpoint).toBe(first.endpoint)
  })

  test('notices by keepalive that a connection has gone silent', async () => {
    const server = await scripted()
    const proxy = await startTcpProxy(server.port)
    onTestFinished(() => proxy[Symbol.asyncDispose]())
    using client = await openClient(`127.0.0.1:${proxy.port}`, { keepaliveTimeMs: 50, keepaliveTimeoutMs: 50 })
    const duplex = await client.watch(never)
    duplex.create({ key, startRevision: 1 })
    await server.nextStream()
    proxy.freeze()
    await expect(Array.fromAsync(duplex.responses)).rejects.toMatchObject({ code: 'Unavailable', retryable: true })
  })

  test('rethrows the abort reason as it is', async () => {
    const server = await scripted()
    using client = await openClient(server.endpoint)
    const controller = new AbortController()
    const duplex = await client.watch(controller)
    duplex.create({ key, startRevision: 1 })
    const stream = await server.nextStream()
    const reason = new Error('enough')
    const reading = Array.fromAsync(duplex.responses)
    controller.abort(reason)
    await expect(reading).rejects.toBe(reason)
    await stream.closed
    await expect(client.watch(controller)).rejects.toBe(reason)
  })
})

describe('EtcdClient.close', () => {
  const methods: readonly [UnaryMethod, (client: EtcdRpc) => Promise<unknown>][] = [
    ['range', read],
    ['put', write],
  ]
  test.each(methods)('rejects a pending %s with code Closed', async (_method, send) => {
    const server = await scripted(() => {})
    const client = await openClient(server.endpoint, { operationTimeoutMs: 60_000 })
    const pending = send(client)
    await eventually(() => expect(server.calls).toHaveLength(1))
    client.close()
    await expect(pending).rejects.toMatchObject({ code: 'Closed', retryable: false })
    await server.calls[0]?.cancelled
  })

  test('rejects what was begun in the same turn, what is begun later, and watches', async () => {
    const server = await scripted()
    const client = await openClient(server.endpoint, { operationTimeoutMs: 60_000 })
    const duplex = await client.watch(never)
    duplex.create({ key, startRevision: 1 })
    await server.nextStream()
    const reading = Array.fromAsync(duplex.responses)
    const pending = [read(client), write(client), client.watch(never)]
    client.close()
    client.close()
    const closed = { code: 'Closed', retryable: false }
    for (const each of [reading, ...pending, read(client), client.watch(never)]) {
      await expect(each).rejects.toMatchObject(closed)
    }
  })
})

describe('EtcdClient with user and password', () => {
  test('logs in once for parallel calls, and once again for all of them when the token has become invalid', async () => {
    let valid = 'token-1'
    const server = await scripted((call) => {
      if (call.method === 'authenticate') call.reply(pb.AuthenticateResponse.encode({ token: valid }).finish())
      else if (call.token === valid) call.reply(rangeAt(12))
      else call.fail(status.UNAUTHENTICATED, 'etcdserver: invalid auth token')
    })
    using client = await openClient(server.endpoint, await account())
    await Promise.all(Array.from({ length: 20 }, () => read(client)))
    expect(logins(server.calls)).toBe(1)
    valid = 'token-2'
    await Promise.all([...Array.from({ length: 20 }, () => read(client)), ...[1, 2].map(() => write(client))])
    expect(logins(server.calls)).toBe(2)
    const duplex = await client.watch(never)
    duplex.create({ key, startRevision: 1 })
    expect((await server.nextStream()).metadata.token).toBe('token-2')
    duplex.close()
  })

  test('sends name and password as they are in the file, without its last line break', async () => {
    const server = await scripted((call) => call.reply())
    using client = await openClient(server.endpoint, await account(' p w \n'))
    await read(client)
    const login = server.calls.find(({ method }) => method === 'authenticate')
    expect(pb.AuthenticateRequest.decode(login?.request ?? Buffer.alloc(0))).toMatchObject({
      name: 'mirror',
      password: ' p w ',
    })
  })

  test('does not go on asking when a fresh token is refused as well', async () => {
    const server = await scripted((call) => {
      if (call.method === 'authenticate') call.reply(pb.AuthenticateResponse.encode({ token: 't' }).finish())
      else call.fail(status.UNAUTHENTICATED, 'etcdserver: invalid auth token')
    })
    using client = await openClient(server.endpoint, await account())
    await expect(read(client)).rejects.toMatchObject({ code: 'AuthenticationFailed' })
    expect(server.calls.filter(({ method }) => method === 'range')).toHaveLength(2)
  })

  test('calls without a token when etcd has authentication switched off, and logs in once it is on', async () => {
    let isOn = false
    const server = await scripted((call) => {
      if (call.method === 'authenticate') {
        if (isOn) call.reply(pb.AuthenticateResponse.encode({ token: 't' }).finish())
        else call.fail(status.FAILED_PRECONDITION, 'etcdserver: authentication is not enabled')
      } else if (isOn && call.token !== 't') call.fail(status.INVALID_ARGUMENT, 'etcdserver: user name is empty')
      else call.reply(rangeAt(12))
    })
    using client = await openClient(server.endpoint, await account())
    await read(client)
    await read(client)
    expect(logins(server.calls)).toBe(1)
    isOn = true
    expect(await read(client)).toMatchObject({ header: { revision: 12 } })
    expect(logins(server.calls)).toBe(2)
  })

  test('a wrong password fails every waiting call without a second try, and names no secret', async () => {
    const server = await scripted((call) =>
      call.fail(status.INVALID_ARGUMENT, 'etcdserver: authentication failed, invalid user ID or password'),
    )
    using client = await openClient(server.endpoint, await account('hunter2'))
    const failures = await Promise.all([1, 2, 3].map(() => read(client).catch((error: unknown) => error)))
    for (const failure of failures) {
      expect(failure).toMatchObject({ code: 'AuthenticationFailed', retryable: true })
      expect(String(failure)).not.toContain('hunter2')
    }
    expect(logins(server.calls)).toBe(1)
  })

  test('a password file that is missing is told by name', async () => {
    const server = await scripted()
    using client = await openClient(server.endpoint, { username: 'mirror', passwordFile: '/nowhere/password' })
    await expect(read(client)).rejects.toMatchObject({
      code: 'AuthenticationFailed',
      message: 'Cannot read password-file /nowhere/password: ENOENT',
    })
    expect(server.calls).toHaveLength(0)
  })

  test('a token that a watch finds invalid is replaced for the next one', async () => {
    let issued = 0
    const server = await scripted((call) => {
      issued += 1
      call.reply(pb.AuthenticateResponse.encode({ token: `t${issued}` }).finish())
    })
    using client = await openClient(server.endpoint, await account())
    const duplex = await client.watch(never)
    duplex.create({ key, startRevision: 1 })
    ;(await server.nextStream()).fail(status.UNAUTHENTICATED, 'etcdserver: invalid auth token')
    await expect(Array.fromAsync(duplex.responses)).rejects.toMatchObject({ code: 'AuthenticationFailed' })
    const second = await client.watch(never)
    second.create({ key, startRevision: 1 })
    expect((await server.nextStream()).metadata.token).toBe('t2')
    second.close()
  })

  test('the deadline of a call counts from its begin, over the login', async () => {
    const server = await scripted((call) => {
      if (call.method === 'authenticate') call.reply(pb.AuthenticateResponse.encode({ token: 't' }).finish())
    })
    using client = await openClient(server.endpoint, { ...(await account()), operationTimeoutMs: 100 })
    await expect(read(client)).rejects.toMatchObject({ code: 'DeadlineExceeded' })
  })
})

test('EtcdClient.open names the TLS file that it cannot read', async () => {
  const tls = { insecureSkipVerify: false, certFile: undefined, keyFile: undefined, serverName: undefined }
  await expect(openClient('127.0.0.1:1', { tls: { ...tls, caFile: '/nowhere/ca.pem' } })).rejects.toMatchObject({
    code: 'TlsRefused',
    message: 'Cannot read ca-file /nowhere/ca.pem: ENOENT',
  })
})

test.each(['', 'no PEM', '-----BEGIN PRIVATE KEY-----'])(
  'authorities without a certificate are refused: %j',
  async (text) => {
    await using directory = await makeTempDir('ca')
    const caFile = join(directory.path, 'ca.pem')
    await writeFile(caFile, text)
    const tls = { insecureSkipVerify: false, certFile: undefined, keyFile: undefined, serverName: undefined }
    await expect(openClient('127.0.0.1:1', { tls: { ...tls, caFile } })).rejects.toMatchObject({
      code: 'TlsRefused',
      message: 'Cannot load the TLS certificates: the authorities hold no certificate',
    })
  },
)

test('a large revision in an answer is refused, not rounded', async () => {
  const header = { revision: Long.fromBigInt(2n ** 53n) }
  const server = await scripted((call) => call.reply(pb.RangeResponse.encode({ header }).finish()))
  using client = await openClient(server.endpoint)
  await expect(read(client)).rejects.toMatchObject({ code: 'ProtocolError' })
})

async function account(password = 'secret\n') {
  const directory = await makeTempDir('password')
  onTestFinished(() => directory[Symbol.asyncDispose]())
  const passwordFile = join(directory.path, 'password')
  await writeFile(passwordFile, password)
  return { username: 'mirror', passwordFile }
}

function logins(calls: readonly ScriptedCall[]): number {
  return calls.filter(({ method }) => method === 'authenticate').length
}
