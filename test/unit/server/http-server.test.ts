import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, onTestFinished, test } from 'vitest'

import { bindError } from '../../../src/server/bind-error.ts'
import { HAS_IPV6, rawConnection, runningServer } from './running-server.ts'

describe('startHttpServer', () => {
  test('says what it really bound', async () => {
    const { server, log } = await runningServer()
    expect(server.address.host).toBe('127.0.0.1')
    expect(server.address.port).toBeGreaterThan(0)
    expect(log.records()[0]).toMatchObject({ level: 'info', host: '127.0.0.1', port: server.address.port })
  })

  test('without a host answers on IPv4, and on IPv6 where the machine has it', async () => {
    const { port } = await runningServer({ bind: { host: '', port: 0 } })
    for (const host of ['127.0.0.1', ...(HAS_IPV6 ? ['[::1]'] : [])])
      expect((await fetch(`http://${host}:${port}/livez`)).status).toBe(200)
  })

  test.each([['127.0.0.1', '127.0.0.1'], ['', ''], ...(HAS_IPV6 ? [['::', '[::]']] : [])])(
    'a port in use on "%s" is one clear, retryable error with a hint',
    async (host = '', printed = '') => {
      const { port } = await runningServer({ bind: { host, port: 0 } })
      await expect(runningServer({ bind: { host, port } })).rejects.toMatchObject({
        code: 'AddressInUse',
        retryable: true,
        message: `Cannot bind HTTP to ${printed}:${port}: address already in use`,
        hint: expect.stringContaining('--http-bind'),
      })
    },
  )

  test('an address of another machine is one clear error that waiting does not heal', async () => {
    await expect(runningServer({ bind: { host: '192.0.2.1', port: 9379 } })).rejects.toMatchObject({
      code: 'AddressInUse',
      retryable: false,
      message: 'Cannot bind HTTP to 192.0.2.1:9379: no interface of this machine has that address',
    })
  })

  test('a port that only root may bind is one clear error that waiting does not heal', () => {
    const cause = Object.assign(new Error('listen EACCES'), { code: 'EACCES' })
    expect(bindError(cause, { host: '', port: 80 })).toMatchObject({
      code: 'AddressInUse',
      retryable: false,
      message: 'Cannot bind HTTP to :80: permission denied',
      hint: expect.stringContaining('--http-bind'),
    })
  })

  test('answers a probe while 1,000 connections sit idle', async () => {
    const { port, get } = await runningServer()
    const idle = Array.from({ length: 1000 }, () => connect({ host: '127.0.0.1', port }))
    onTestFinished(() => {
      for (const socket of idle) socket.destroy()
    })
    await Promise.all(idle.map((socket) => once(socket, 'connect')))
    expect((await get('/livez')).status).toBe(200)
  })
})

describe('a client that never becomes a request', () => {
  test('that sends its headers too slowly is answered 408 and cut', async () => {
    const { port } = await runningServer({ requestTimeoutMs: 100 })
    const { answer } = rawConnection(port, 'GET /livez HTTP/1.1\r\nHost: a\r\nX-Slow: ')
    expect(await answer).toMatch(/^HTTP\/1\.1 408 /)
  })

  test('that sends nothing at all is cut', async () => {
    const { port } = await runningServer({ requestTimeoutMs: 100 })
    const { socket } = rawConnection(port, '')
    await once(socket, 'close')
  })

  test.each([
    ['an invented method', 'BREW /livez HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 405 .*\r\nAllow: GET, HEAD\r\n/],
    ['CONNECT', 'CONNECT a:1 HTTP/1.1\r\nHost: a\r\n\r\n', /^HTTP\/1\.1 405 .*\r\nAllow: GET, HEAD\r\n/],
    ['nonsense', '\u0001\u0002\r\n\r\n', /^HTTP\/1\.1 (400|405) /],
    ['huge headers', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(9000)}\r\n\r\n`, /^HTTP\/1\.1 431 /],
  ])('%s is refused and cut', async (_, request, expected) => {
    const { port, get } = await runningServer()
    expect(await rawConnection(port, request).answer).toMatch(expected)
    expect((await get('/livez')).status).toBe(200)
  })
})

describe('close', () => {
  test('ends connections that are kept alive or half-way through a request, and is idempotent', async () => {
    const { server, port } = await runningServer()
    const keptAlive = rawConnection(port, 'GET /livez HTTP/1.1\r\nHost: a\r\n\r\n')
    const halfWay = rawConnection(port, 'GET /livez HTTP/1.1\r\nHost: a\r\n')
    await once(keptAlive.socket, 'readable')
    const closed = server.close()
    expect(server.close()).toBe(closed)
    await closed
    await Promise.all([keptAlive.answer.catch(() => {}), halfWay.answer.catch(() => {})])
    await expect(fetch(`http://127.0.0.1:${port}/livez`)).rejects.toThrow()
  })

  test('lets an answer that is being made end, and gives up on one that never does', async () => {
    const render = Promise.withResolvers<string>()
    const asked = Promise.withResolvers<void>()
    const never = new Promise<string>(() => {})
    let scrapes = 0
    const metrics = {
      contentType: 'text/plain',
      render() {
        scrapes += 1
        if (scrapes === 2) asked.resolve()
        return scrapes === 1 ? render.promise : never
      },
    }
    const { server, get } = await runningServer({ metrics })
    const [first, second] = [get('/metrics'), get('/metrics')]
    const secondFailed = expect(second).rejects.toThrow()
    await asked.promise
    const closed = server.close()
    render.resolve('page')
    expect(await first).toMatchObject({ status: 200, body: 'page' })
    await secondFailed
    await closed
  })
})
