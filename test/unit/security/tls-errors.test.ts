import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer as createPlainServer, type Server } from 'node:net'
import { createServer, type TlsOptions } from 'node:tls'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { EtcdClient } from '../../../src/etcd/etcd-client.ts'
import { etcdConfSchema, resolveEtcdOptions } from '../../../src/etcd/options.ts'
import { type KeyPair, makeTls, type TlsMaterial } from '../../support/tls.ts'

let material: TlsMaterial

beforeAll(async () => {
  material = await makeTls()
})
afterAll(() => material[Symbol.asyncDispose]())

const pem = ({ cert, key }: KeyPair) => ({ cert: readFileSync(cert), key: readFileSync(key), ALPNProtocols: ['h2'] })

/** What reading from such an endpoint comes to. */
async function failureOf(server: Server, conf: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
  server.on('tlsClientError', () => {})
  onTestFinished(() => void server.close())
  await once(server.listen(0, '127.0.0.1'), 'listening')
  const { port } = server.address() as AddressInfo
  const written = { endpoints: [`https://127.0.0.1:${port}`], 'ca-file': material.ca, ...conf }
  const { options } = resolveEtcdOptions(etcdConfSchema.parse(written))
  if (options === undefined) throw new Error('The options are wrong')
  const client = await EtcdClient.open(options)
  onTestFinished(() => client.close())
  const { signal } = new AbortController()
  return await client.unary('range', { key: Buffer.from('a') }, { signal }).catch((error: unknown) => error)
}

describe('an endpoint whose TLS cannot be used is named by what is wrong with it', () => {
  const tls = (options: TlsOptions) => createServer(options)
  const OLD = { minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL:@SECLEVEL=0' } as const
  const clientCa = () => ({ requestCert: true, ca: readFileSync(material.ca) })
  const http = (port: (text: string) => void) =>
    createPlainServer((socket) => {
      socket.on('error', () => {})
      socket.once('data', () => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n', () => port('closed')))
    })

  const cases: readonly [string, () => Server, () => Readonly<Record<string, unknown>>, RegExp][] = [
    [
      'an expired certificate',
      () => tls(pem(material.expired)),
      () => ({}),
      /TLS failed: the certificate has expired \(\w/,
    ],
    [
      'another host',
      () => tls(pem(material.wrongHost)),
      () => ({}),
      /TLS failed: the certificate is for another host \(Hostname/,
    ],
    [
      'an unknown authority',
      () => tls(pem(material.server)),
      () => ({ 'ca-file': material.otherCa }),
      /TLS failed: the certificate's authority is not trusted \(\w/,
    ],
    ['a plain port', () => http(() => {}), () => ({}), /TLS failed: the endpoint does not speak TLS \(.*wrong version/],
    [
      'TLS 1.1',
      () => tls({ ...pem(material.server), ...OLD }),
      () => ({}),
      /TLS failed: the server's TLS is too old, 1\.2 is needed \(.*protocol version/,
    ],
    [
      'no client certificate',
      () => tls({ ...pem(material.server), ...clientCa() }),
      () => ({}),
      /TLS failed: the endpoint wants another client certificate \(/,
    ],
    [
      'another protocol than gRPC',
      () => tls({ ...pem(material.server), ALPNProtocols: ['http/1.1'] }),
      () => ({}),
      /TLS failed: the endpoint does not speak gRPC \(/,
    ],
  ]
  test.each(cases)('%s', async (_name, server, conf, text) => {
    const failure = await failureOf(server(), conf())
    expect(failure).toMatchObject({ code: 'TlsRefused', retryable: true, message: expect.stringMatching(text) })
    const { message } = failure as Error
    expect(message).not.toMatch(/Resolution note|Last error|\n/)
    // No other words fit as well: each case is told from all others.
    expect(cases.filter(([, , , other]) => other.test(message))).toHaveLength(1)
  })
})
