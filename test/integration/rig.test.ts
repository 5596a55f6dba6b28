import { once } from 'node:events'
import { readdir, readFile } from 'node:fs/promises'
import { createServer, connect as tcpConnect } from 'node:net'
import { join } from 'node:path'
import { connect as tlsConnect } from 'node:tls'
import { describe, expect, test } from 'vitest'
import { ensureEtcd } from '../rig/ensure.mjs'
import { enableAuth } from '../support/etcd-auth.ts'
import { startEtcd } from '../support/etcd-server.ts'
import { runEtcdctl } from '../support/etcdctl.ts'
import { startMirror } from '../support/mirror-process.ts'
import { startTcpProxy } from '../support/tcp-proxy.ts'
import { makeTempDir } from '../support/temp-dir.ts'
import { makeTls } from '../support/tls.ts'
import { eventually } from '../support/wait.ts'

describe.each(['3.4', '3.6'] as const)('startEtcd %s', (series) => {
  test('keeps its data over SIGKILL and restart, and answers through a proxy', async () => {
    await using etcd = await startEtcd({ version: series })
    await using proxy = await startTcpProxy(etcd.clientPort)
    const { etcdctl } = await ensureEtcd(series)
    await etcd.etcdctl(['put', '/a'], { input: 'one' })
    await etcd.kill()
    await etcd.restart()
    expect(await runEtcdctl(etcdctl, proxy, ['get', '/a'], {})).toBe('/a\none\n')
    expect(etcd.version.startsWith(series)).toBe(true)
    expect(proxy.acceptedCount).toBeGreaterThan(0)
  })

  test('does not answer while it is paused and does after resume', async () => {
    await using etcd = await startEtcd({ version: series })
    etcd.pause()
    await expect(etcd.etcdctl(['--command-timeout=300ms', 'get', '/a'])).rejects.toThrow()
    etcd.resume()
    await expect(etcd.etcdctl(['put', '/a', 'b'])).resolves.toContain('OK')
  })

  test('enableAuth lets the user read the prefix and nothing else', async () => {
    await using etcd = await startEtcd({ version: series })
    const user = { user: 'reader', password: 'secret' }
    const { rootEnv } = await enableAuth(etcd, { ...user, role: 'app', prefix: '/app/' })
    const env = { ETCDCTL_USER: 'reader:secret' }
    await etcd.etcdctl(['put', '/app/x', '1'], { env: rootEnv })
    expect(await etcd.etcdctl(['get', '--prefix', '/app/'], { env })).toBe('/app/x\n1\n')
    await expect(etcd.etcdctl(['get', '/other'], { env })).rejects.toThrow('permission denied')
    await expect(etcd.etcdctl(['put', '/app/x', '2'], { env })).rejects.toThrow('permission denied')
  })
})

test('replaceDataDir brings an older store back', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await using directory = await makeTempDir()
  await etcd.etcdctl(['put', '/a', 'old'])
  await etcd.kill()
  await etcd.copyDataDir(join(directory.path, 'backup'))
  await etcd.restart()
  await etcd.etcdctl(['put', '/a', 'new'])
  await etcd.kill()
  await etcd.replaceDataDir(join(directory.path, 'backup'))
  await etcd.restart()
  expect(await etcd.etcdctl(['get', '/a'])).toBe('/a\nold\n')
  await using second = await startEtcd({ version: '3.6', dataDir: join(directory.path, 'backup') })
  expect(await second.etcdctl(['get', '/a'])).toBe('/a\nold\n')
})

test('disposing of an etcd ends it and removes its data', async () => {
  const etcd = await startEtcd({ version: '3.6' })
  const { pid, dataDir } = etcd
  await etcd[Symbol.asyncDispose]()
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
  await expect(readdir(dataDir)).rejects.toThrow('ENOENT')
})

test('startEtcd says what etcd printed when it cannot start', async () => {
  await expect(startEtcd({ version: '3.6', flags: ['--no-such-flag'] })).rejects.toThrow('no-such-flag')
})

test('makeTls makes a server that the CA vouches for, and ones that it does not', async () => {
  await using tls = await makeTls()
  const server = { ...tls.server, ca: tls.ca, client: tls.client, clientCa: tls.ca }
  await using etcd = await startEtcd({ version: '3.6', tls: server })
  await etcd.etcdctl(['put', '/a', 'b'])
  await using bad = await startEtcd({ version: '3.6', tls: { ...tls.expired, ca: tls.ca } })
  const connectTo = async (port: number, files: { ca: string }) => {
    const socket = tlsConnect({ port, host: '127.0.0.1', ca: await readFile(files.ca) })
    await once(socket, 'secureConnect').finally(() => socket.destroy())
  }
  await expect(connectTo(etcd.clientPort, { ca: tls.ca })).resolves.toBeUndefined()
  await expect(connectTo(etcd.clientPort, { ca: tls.otherCa })).rejects.toThrow('unable to verify')
  await expect(connectTo(bad.clientPort, { ca: tls.ca })).rejects.toThrow('expired')
  await using elsewhere = await startEtcd({ version: '3.6', tls: { ...tls.wrongHost, ca: tls.ca } })
  await expect(connectTo(elsewhere.clientPort, { ca: tls.ca })).rejects.toThrow("does not match certificate's altnames")
})

test('startMirror collects what the built command prints and how it ends', async () => {
  await using mirror = startMirror(['--version'])
  expect(await mirror.exit).toEqual({ code: 0, signal: null })
  expect(mirror.output).toMatch(/^\d+\.\d+\.\d+$/)
  await expect(mirror.waitForLog(() => true)).rejects.toThrow('ended before')
})

describe('TcpProxy', () => {
  test('cut breaks open connections and accepts new ones; refuse accepts none until accept', async () => {
    await using setup = await startEcho()
    const first = await setup.connect()
    await first.exchange('hello')
    expect(setup.proxy.connectionCount).toBe(1)
    setup.proxy.cut()
    await first.closed
    await eventually(() => expect(setup.proxy.connectionCount).toBe(0))
    await (await setup.connect()).exchange('again')
    setup.proxy.refuse()
    await expect(setup.connect()).rejects.toThrow('ECONNREFUSED')
    await setup.proxy.accept()
    await (await setup.connect()).exchange('back')
  })

  test('freeze holds bytes back and thaw delivers them', async () => {
    await using setup = await startEcho()
    const client = await setup.connect()
    await client.exchange('before')
    setup.proxy.freeze('responses')
    const answer = client.exchange('held')
    await eventually(() => expect(setup.received()).toBe('beforeheld'))
    expect(client.received()).toBe('before')
    setup.proxy.thaw()
    await answer
  })

  test('cutAfterBytes ends the connection after exactly so many bytes of responses', async () => {
    await using setup = await startEcho()
    const client = await setup.connect()
    await client.exchange('12345')
    const cut = setup.proxy.cutAfterBytes(7)
    client.send('abcdefghijklmnop')
    await cut
    await client.closed
    expect(client.received()).toBe('12345abcdefg')
    await (await setup.connect()).exchange('a second connection lives')
  })

  test('limit slows a connection down and loses nothing', async () => {
    await using setup = await startEcho()
    const client = await setup.connect()
    const started = performance.now()
    setup.proxy.limit(1_000_000)
    await client.exchange('x'.repeat(200_000))
    await client.exchange('y')
    expect(performance.now() - started).toBeGreaterThan(150)
  })

  test('delay holds what comes for so long both ways, and keeps its order', async () => {
    await using setup = await startEcho()
    const client = await setup.connect()
    setup.proxy.delay(60)
    const started = performance.now()
    await client.exchange('there and back')
    expect(performance.now() - started).toBeGreaterThan(115)
    client.send('first ')
    client.send('second ')
    setup.proxy.delay(0)
    client.send('third')
    await eventually(() => expect(client.received()).toBe('there and backfirst second third'))
  })

  test('retarget leads new connections to another server', async () => {
    await using setup = await startEcho()
    await using other = await startEcho()
    const client = await setup.connect()
    await client.exchange('one')
    setup.proxy.retarget(other.proxy.port)
    await client.closed
    await (await setup.connect()).exchange('two')
    expect([setup.received(), other.received()]).toEqual(['one', 'two'])
  })
})

async function startEcho() {
  let received = ''
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (chunk) => {
      received += chunk
      socket.write(chunk)
    })
  })
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const proxy = await startTcpProxy(address.port)
  return {
    proxy,
    received: () => received,
    connect: () => connectClient(proxy.port),
    async [Symbol.asyncDispose]() {
      await proxy[Symbol.asyncDispose]()
      server.close()
    },
  }
}

async function connectClient(port: number) {
  const socket = tcpConnect(port, '127.0.0.1')
  await once(socket, 'connect')
  let received = ''
  socket.on('error', () => {})
  socket.on('data', (chunk) => {
    received += chunk
  })
  return {
    closed: once(socket, 'close'),
    received: () => received,
    send: (text: string) => socket.write(text),
    async exchange(text: string) {
      const wanted = received.length + text.length
      socket.write(text)
      await eventually(() => expect(received.length).toBe(wanted))
      expect(received.endsWith(text)).toBe(true)
    },
  }
}
