import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, test } from 'vitest'
import { runHttp } from '../../../../src/targets/hooks/run-http.ts'
import { tempDirectory } from '../files/support.ts'

const seen: IncomingMessage[] = []
const servers: { close(): void }[] = []

afterEach(() => {
  seen.length = 0
  for (const server of servers.splice(0)) server.close()
})

async function serve(status: number | 'never', headers: Readonly<Record<string, string>> = {}): Promise<string> {
  const server = createServer((request, response) => {
    seen.push(request)
    if (status !== 'never') response.writeHead(status, headers).end('body')
  }).listen(0, '127.0.0.1')
  servers.push({ close: () => server.closeAllConnections() ?? server.close() })
  await once(server, 'listening')
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/reload`
}

const environment = {
  MIRROR_NAME: 'app',
  MIRROR_FROM_REVISION: '4',
  MIRROR_REVISION: '5',
  MIRROR_ROOT: '/r',
  MIRROR_CHANGES: '/x',
}
const run = { directory: '/', environment, timeoutMs: 20_000, signal: new AbortController().signal }
const options = { method: 'POST', headers: {}, headerFiles: {}, successCodes: [200, 204] }

describe('runHttp', () => {
  test('sends the method, the revision, and headers, also those from files', async () => {
    const file = join(tempDirectory(), 'token')
    writeFileSync(file, 'Bearer secret\n')
    const url = await serve(204)
    await runHttp({ ...options, url, method: 'PUT', headers: { X: 'y' }, headerFiles: { Authorization: file } }, run)
    expect(seen[0]).toMatchObject({ method: 'PUT', url: '/reload' })
    expect(seen[0]?.headers).toMatchObject({
      'mirror-revision': '5',
      'mirror-name': 'app',
      x: 'y',
      authorization: 'Bearer secret',
    })
  })

  test.each([[500], [404], [302]] as const)('an answer of %s is a failure', async (status) => {
    const url = await serve(status, { location: '/elsewhere' })
    await expect(runHttp({ ...options, url }, run)).rejects.toThrow(`the answer was ${status}`)
    expect(seen).toHaveLength(1)
  })

  test('what counts as success can be said', async () => {
    await runHttp({ ...options, url: await serve(418), successCodes: [418] }, run)
  })

  test('nobody there, no answer in time, and a missing file are failures', async () => {
    await expect(runHttp({ ...options, url: 'http://127.0.0.1:1/' }, run)).rejects.toThrow('the request failed (')
    const late = runHttp({ ...options, url: await serve('never') }, { ...run, timeoutMs: 300 })
    await expect(late).rejects.toMatchObject({ kind: 'timeout' })
    const missing = runHttp({ ...options, url: await serve(200), headerFiles: { A: '/no/such' } }, run)
    await expect(missing).rejects.toThrow('the file of the header A cannot be read')
  })

  test('an abort is rethrown', async () => {
    const abort = new AbortController()
    const running = runHttp({ ...options, url: await serve('never') }, { ...run, signal: abort.signal })
    abort.abort(new Error('stopping'))
    await expect(running).rejects.toThrow('stopping')
  })
})
