import { describe, expect, test } from 'vitest'
import { connectionOptions, parseConnection, type SecretData } from '../../../src/operator/connection-options.ts'

const data = (entries: Readonly<Record<string, string>>): SecretData =>
  new Map(Object.entries(entries).map(([name, text]) => [name, Buffer.from(text)]))

function made(spec: object, { tls, auth }: { tls?: SecretData; auth?: SecretData } = {}) {
  const parsed = parseConnection('EtcdConnection', { endpoints: ['etcd:2379'], ...spec })
  if ('fault' in parsed) return parsed
  return connectionOptions(parsed.spec, { tls, auth })
}

const LOGIN = { auth: { secretRef: { name: 'login' } } }
const TLS = { tls: { secretRef: { name: 'pem' } } }

describe('connectionOptions', () => {
  test('plain text by default, with the timeouts of the spec', () => {
    const result = made({ dialTimeout: '2s', keepaliveTime: '1m', resyncAfterReconnect: true })
    expect(result).toMatchObject({
      etcd: {
        endpoints: ['etcd:2379'],
        tls: undefined,
        dialTimeoutMs: 2000,
        operationTimeoutMs: 3000,
        keepaliveTimeMs: 60_000,
        resyncAfterReconnect: true,
        username: undefined,
      },
      given: { ca: undefined, cert: undefined, key: undefined, password: undefined },
    })
  })

  test('tls: {} is TLS with the authorities of the system, whatever the endpoint says', () => {
    expect(made({ tls: {} })).toMatchObject({ etcd: { tls: { insecureSkipVerify: false } } })
    expect(made({ endpoints: ['https://etcd'] })).toMatchObject({ etcd: { tls: { caFile: undefined } } })
  })

  test('the bytes of the Secrets, in memory alone', () => {
    const result = made(
      { ...TLS, ...LOGIN },
      {
        tls: data({ 'ca.crt': 'ca', 'tls.crt': 'cert', 'tls.key': 'key' }),
        auth: data({ username: 'u\n', password: 'p\r\n' }),
      },
    )
    expect(result).toMatchObject({
      etcd: { username: 'u' },
      given: { ca: Buffer.from('ca'), cert: Buffer.from('cert'), key: Buffer.from('key'), password: 'p' },
    })
  })

  test.each([
    ['no password', LOGIN, {}, { auth: data({ username: 'u' }) }, 'SecretInvalid', '"login" must hold username and'],
    ['an empty one', LOGIN, {}, { auth: data({ username: 'u', password: '' }) }, 'SecretInvalid', 'username and pass'],
    [
      'half a certificate',
      TLS,
      {},
      { tls: data({ 'tls.crt': 'x' }) },
      'SecretInvalid',
      'tls.crt and tls.key, or neither',
    ],
    ['nothing of TLS', TLS, {}, { tls: data({ other: 'x' }) }, 'SecretInvalid', 'neither ca.crt nor tls.crt'],
    [
      'plain text',
      LOGIN,
      {},
      { auth: data({ username: 'u', password: 'p' }) },
      'InvalidSpec',
      'spec.auth: would be sent in plain text',
    ],
    [
      'schemes',
      {},
      { endpoints: ['http://a', 'https://b'] },
      {},
      'InvalidSpec',
      'spec.endpoints: must not mix http://',
    ],
    [
      'an endpoint',
      {},
      { endpoints: ['a', 'ftp://b'] },
      {},
      'InvalidSpec',
      'spec.endpoints[1]: begins with an unknown',
    ],
    ['a password in it', {}, { endpoints: ['https://u:hunter2@a'] }, {}, 'InvalidSpec', 'must not hold credentials'],
    ['a duration', {}, { dialTimeout: 'soon' }, {}, 'InvalidSpec', 'spec.dialTimeout: must be 0 or'],
    ['a timeout', {}, { operationTimeout: '601s' }, {}, 'InvalidSpec', 'spec.operationTimeout: must be at most 10m'],
    ['pings', {}, { keepaliveTime: '1s' }, {}, 'InvalidSpec', 'spec.keepaliveTime: must be 0 or at least 5000ms'],
  ])('a fault of %s tells what to correct and no value', (_name, first, second, secrets, reason, message) => {
    const result = made({ ...first, ...second }, secrets)
    expect(result).toMatchObject({ fault: { reason, message: expect.stringContaining(message) } })
    expect(JSON.stringify(result)).not.toContain('hunter2')
  })
})
