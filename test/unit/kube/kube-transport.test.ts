import { createServer, type RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { describe, expect, test } from 'vitest'
import { KubeTransport } from '../../../src/kube/kube-transport.ts'

const never = new AbortController().signal

describe('KubeTransport', () => {
  test('reads an answer of many pieces, also of a server that is a path of a gateway', async () => {
    const text = 'ü'.repeat(70_000)
    await using server = await serve((request, response) => {
      response.setHeader('retry-after', '3')
      // A character in two pieces.
      const bytes = Buffer.from(`${request.url} ${text}`)
      response.write(bytes.subarray(0, 33), () => response.end(bytes.subarray(33)))
    })
    await using transport = transportTo(`${server.url}/k8s/clusters/c-1`)
    const asked = { method: 'GET', path: '/api/v1/x', signal: never } as const
    const answer = await transport.whole(asked)
    expect([answer.statusCode, answer.headers['retry-after']]).toEqual([200, '3'])
    expect(answer.body).toBe(`/k8s/clusters/c-1/api/v1/x ${text}`)
    expect(await (await transport.request(asked)).body.text()).toBe(answer.body)
  })

  test('an abort ends a request before and within its answer, with its reason', async () => {
    const stop = [new AbortController(), new AbortController()] as const
    await using server = await serve((request, response) => {
      if (request.url === '/silent') return stop[0].abort(new Error('enough'))
      response.write('{', () => stop[1].abort(new Error('enough')))
    })
    await using transport = transportTo(server.url)
    for (const [index, path] of ['/silent', '/half'].entries()) {
      const { signal } = stop[index as 0 | 1]
      await expect(transport.whole({ method: 'GET', path, signal })).rejects.toThrow('enough')
    }
  })

  test('an answer that breaks off is no answer', async () => {
    await using server = await serve((_request, response) => {
      response.write('{', () => response.destroy())
    })
    await using transport = transportTo(server.url)
    const broken = transport.whole({ method: 'GET', path: '/', signal: never })
    await expect(broken).rejects.toMatchObject({ code: 'KubeUnavailable' })
  })

  test('a server that is no URL is named, with what to write', () => {
    expect(() => transportTo('localhost:6443')).toThrow(/at localhost:6443: that is no URL/)
  })
})

function transportTo(server: string): KubeTransport & AsyncDisposable {
  const current = async () => ({ authorization: undefined, tls: {} })
  const transport = new KubeTransport({ server, namespace: 'default', current }, 'test')
  return Object.assign(transport, { [Symbol.asyncDispose]: () => transport.close() })
}

async function serve(listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> {
  const server = createServer(listener)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
