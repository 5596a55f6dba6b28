import { generateKeyPairSync } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { describe, expect, test } from 'vitest'
import { ConfigDir, etcdFaults, loadEtcd, ONE_MIRROR } from './config-dir.ts'

const fixture = (name: string) => fileURLToPath(new URL(`fixtures/${name}`, import.meta.url))
const CERT = fixture('test-only-cert.pem')
const KEY = fixture('test-only-key.pem')

const DEFAULTS = {
  endpoints: ['127.0.0.1:2379'],
  dialTimeoutMs: 1000,
  operationTimeoutMs: 3000,
  insecureTransport: false,
  tls: undefined,
  username: undefined,
  passwordFile: undefined,
  keepaliveTimeMs: 10_000,
  keepaliveTimeoutMs: 5000,
  autoCompactMs: 0,
  resyncAfterReconnect: false,
  allowDelayedStart: undefined,
  reconnectIntervalMs: 2000,
  sessionTtlSeconds: 5,
  expandEnvVariables: false,
}

describe('etcd.conf values', () => {
  test.each([
    ['an empty file', ''],
    ['a comment', '# nothing\n'],
    ['an empty mapping', '{}'],
    ['keys without values', 'endpoints:\ndial-timeout:\ncert-file: ""\ninsecure-transport:\nsession-ttl:\n'],
    ['zeros', 'dial-timeout: 0\noperation-timeout: 0s\nkeepalive-time: 0\nsession-ttl: 0\nendpoints: []\n'],
  ])('%s means every default', async (_what, conf) => {
    const { etcd, warnings } = await loadEtcd(conf)
    expect(etcd).toEqual(DEFAULTS)
    expect(warnings).toEqual([])
    expect(Object.isFrozen(etcd)).toBe(true)
  })

  test('every key is taken over', async () => {
    const { etcd } = await loadEtcd(`
endpoints: [ "https://etcd-0:2379", etcd-1, "[::1]:1", " https://etcd-0 " ]
dial-timeout: 100000000
operation-timeout: "1m30s"
insecure-skip-tls-verify: true
cert-file: ${CERT}
key-file: ${KEY}
ca-file: ${CERT}
server-name: etcd.example
username: mirror
password-file: ${CERT}
keepalive-time: 5s
keepalive-timeout: 1.5s
auto-compact: 720h
resync-after-reconnect: yes
allow-delayed-start: false
reconnect-interval: 300ms
session-ttl: 7
expand-env-variables: on
`)
    expect(etcd).toEqual({
      endpoints: ['etcd-0:2379', 'etcd-1:2379', '[::1]:1'],
      dialTimeoutMs: 100,
      operationTimeoutMs: 90_000,
      insecureTransport: false,
      tls: { insecureSkipVerify: true, certFile: CERT, keyFile: KEY, caFile: CERT, serverName: 'etcd.example' },
      username: 'mirror',
      passwordFile: CERT,
      keepaliveTimeMs: 5000,
      keepaliveTimeoutMs: 1500,
      autoCompactMs: 720 * 3_600_000,
      resyncAfterReconnect: true,
      allowDelayedStart: false,
      reconnectIntervalMs: 300,
      sessionTtlSeconds: 7,
      expandEnvVariables: true,
    })
  })

  test.each([
    ['dial-timeout: 5x', 'etcd.conf:1:15: dial-timeout: "5x" is not a duration'],
    ['# c\ndial-timeout: -1', 'etcd.conf:2:15: dial-timeout: must not be negative'],
    ['reconnect-interval: -3s', 'etcd.conf:1:21: reconnect-interval: must not be negative'],
    ['operation-timeout: [1]', 'etcd.conf:1:20: operation-timeout: must be numbers with a unit'],
    ['operation-timeout: 1.5', 'etcd.conf:1:20: operation-timeout: must be numbers with a unit'],
    ['operation-timeout: 597h', 'etcd.conf:1:20: operation-timeout: must be at most 596h'],
    ['keepalive-time: 4s', 'etcd.conf:1:17: keepalive-time: must be at least 5s'],
    ['session-ttl: 5s', 'etcd.conf:1:14: session-ttl: must be a whole number of seconds'],
    ['session-ttl: -1', 'etcd.conf:1:14: session-ttl: must not be negative'],
    ['insecure-transport: "true"', 'etcd.conf:1:21: insecure-transport: must be true or false'],
    ['cert-file: 12', 'etcd.conf:1:12: cert-file: must be text: put it in quotes'],
    ['endpoints: 127.0.0.1:2379', 'etcd.conf:1:12: endpoints: must be a list'],
    ['endpoints:\n  - a\n  - ""', 'etcd.conf:3:5: endpoints[1]: must be host:port'],
    ['endpoints: [1]', 'etcd.conf:1:13: endpoints[0]: must be text'],
    ['endpoints: ["unix:///run/etcd.sock"]', 'etcd.conf:1:13: endpoints[0]: unix sockets are not supported'],
    ['endpoints: ["unix:/run/etcd.sock"]', 'etcd.conf:1:13: endpoints[0]: unix sockets are not supported'],
    ['endpoints: ["ftp://a"]', 'etcd.conf:1:13: endpoints[0]: begins with an unknown scheme'],
    ['endpoints: ["https://u:p@a"]', 'etcd.conf:1:13: endpoints[0]: must not hold credentials'],
    ['endpoints: ["a:1,b:2"]', 'etcd.conf:1:13: endpoints[0]: must be one address'],
    ['endpoints: ["::1"]', 'etcd.conf:1:13: endpoints[0]: must be host:port'],
    ['endpoints: ["a:0"]', 'etcd.conf:1:13: endpoints[0]: must be host:port'],
    ['endpoints: ["http://a/v3"]', 'etcd.conf:1:13: endpoints[0]: must be host:port'],
    ['endpoints: ["http://a", "https://b"]', 'etcd.conf:1:12: endpoints: must not mix http:// and https://'],
    ['- a', 'etcd.conf:1:1: must be a mapping'],
    ['hello', 'etcd.conf:1:1: must be a mapping'],
  ])('%j is refused with its place', async (conf, line) => {
    const faults = await etcdFaults(conf)
    expect(faults).toEqual([expect.stringContaining(line)])
    expect(faults[0]?.startsWith(line)).toBe(true)
  })

  test('every bad value is told at once, in the order of the file', async () => {
    const faults = await etcdFaults('session-ttl: 5s\ndial-timeout: 5x\nca-file: 1\n')
    expect(faults.map((line) => line.split(': ')[1])).toEqual(['session-ttl', 'dial-timeout', 'ca-file'])
  })

  test('an unknown key is a warning with a suggestion, its value is not repeated', async () => {
    const { warnings } = await loadEtcd('dial-timout: 5s\npassword: hunter2\nzzzzzzzz: 1\n')
    expect(warnings).toEqual([
      'etcd.conf:1:1: dial-timout: unknown key, did you mean "dial-timeout"?',
      'etcd.conf:2:1: password: unknown key, did you mean "password-file"?',
      'etcd.conf:3:1: zzzzzzzz: unknown key',
    ])
  })

  test('whole numbers too small to be meant as nanoseconds are a warning', async () => {
    const { etcd, warnings } = await loadEtcd('dial-timeout: 5\nsession-ttl: 5\n')
    expect(etcd.dialTimeoutMs).toBe(1)
    expect(warnings).toEqual([
      'etcd.conf:1:1: dial-timeout: whole numbers are nanoseconds here, write "5s" for seconds',
    ])
  })

  test('auto-compact below 60 minutes is a warning', async () => {
    expect((await loadEtcd('auto-compact: 1h')).warnings).toEqual([])
    const { warnings } = await loadEtcd('auto-compact: 59m59s')
    expect(warnings).toEqual([
      'etcd.conf:1:15: auto-compact: is below 60 minutes: readers of old revisions and slow watchers may find them gone',
    ])
  })
})

describe('etcd.conf TLS and credentials', () => {
  test('an https:// endpoint turns TLS on', async () => {
    const { etcd } = await loadEtcd('endpoints: ["https://a"]')
    expect(etcd.tls).toEqual({ insecureSkipVerify: false })
    expect(Object.isFrozen(etcd.tls)).toBe(true)
  })

  test('a TLS file turns TLS on without any scheme', async () => {
    expect((await loadEtcd(`ca-file: ${CERT}`)).etcd.tls?.caFile).toBe(CERT)
  })

  test('insecure-skip-tls-verify alone does not turn TLS on, and says so', async () => {
    const { etcd, warnings } = await loadEtcd('insecure-skip-tls-verify: true\nserver-name: a')
    expect(etcd.tls).toBeUndefined()
    expect(warnings).toEqual([
      'etcd.conf:1:27: insecure-skip-tls-verify: has no effect: TLS is off',
      'etcd.conf:2:14: server-name: has no effect: TLS is off',
    ])
  })

  test.each([
    [`cert-file: ${CERT}`, ['etcd.conf:1:12: cert-file: needs its partner key-file']],
    [`key-file: ${KEY}`, ['etcd.conf:1:11: key-file: needs its partner cert-file']],
    [
      `insecure-transport: true\nca-file: ${CERT}`,
      ['etcd.conf:2:10: ca-file: contradicts insecure-transport: true, remove one of them'],
    ],
    [
      'insecure-transport: true\nendpoints: [a, "https://b"]',
      ['etcd.conf:2:16: endpoints[1]: https:// contradicts insecure-transport: true'],
    ],
    [
      `ca-file: ${CERT}\nendpoints: ["http://b"]`,
      ['etcd.conf:2:13: endpoints[0]: http:// contradicts the TLS files: write https:// or remove the files'],
    ],
    ['username: a', ['etcd.conf:1:11: username: needs its partner password-file']],
    [`insecure-transport: true\npassword-file: ${CERT}`, ['etcd.conf:2:16: password-file: needs its partner username']],
    [
      `username: a\npassword-file: ${CERT}`,
      [
        'etcd.conf:2:16: password-file: would be sent in plain text: use https:// or ca-file, or write insecure-transport: true to allow it',
      ],
    ],
  ])('%j is refused', async (conf, lines) => {
    expect(await etcdFaults(conf)).toEqual(lines)
  })

  test('a password without TLS is allowed where insecure-transport: true is written', async () => {
    const { etcd } = await loadEtcd(`insecure-transport: true\nusername: a\npassword-file: ${CERT}`)
    expect([etcd.insecureTransport, etcd.tls, etcd.username]).toEqual([true, undefined, 'a'])
  })

  test.each([
    ['missing', undefined, 'does not exist'],
    ['empty', '', 'holds no PEM certificate'],
    ['text', 'hello', 'holds no PEM certificate'],
    [
      'broken',
      '-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n',
      'holds a PEM certificate that cannot be read',
    ],
    [
      'broken after a good certificate',
      `${readFileSync(CERT, 'utf8')}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`,
      'holds a PEM certificate that cannot be read',
    ],
  ])('a ca-file that is %s is refused, naming the file', async (_what, content, fault) => {
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR })
    if (content !== undefined) await directory.write('ca.pem', content)
    await directory.write('etcd.conf', `ca-file: ${directory.file('ca.pem')}`)
    expect(await directory.faults()).toEqual([`etcd.conf:1:10: ca-file: ca.pem ${fault}`])
  })

  test('a key that belongs to another certificate is refused, its content never shown', async () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const pem = privateKey.export({ type: 'pkcs8', format: 'pem' })
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR, 'other.pem': pem })
    await directory.write('etcd.conf', `cert-file: ${CERT}\nkey-file: ${directory.file('other.pem')}`)
    expect(await directory.faults()).toEqual([
      `etcd.conf:2:11: key-file: other.pem is not the key of the certificate in ${CERT}`,
    ])
  })

  test('a key-file that holds no key and a directory as ca-file are refused', async () => {
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR })
    await directory.write('etcd.conf', `cert-file: ${CERT}\nkey-file: ${CERT}\nca-file: ${directory.path}`)
    expect(await directory.faults()).toEqual([
      `etcd.conf:2:11: key-file: ${CERT} holds no PEM private key that can be read (without a passphrase)`,
      'etcd.conf:3:10: ca-file: . is not a file',
    ])
  })

  test('the content of a password file stands in no error and no result', async () => {
    const canary = 'canary-9c1f2e'
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR, password: `${canary}\n` })
    const path = directory.file('password')
    const seen: unknown[] = []
    for (const more of ['', 'insecure-transport: true', `ca-file: ${path}`, `cert-file: ${path}\nkey-file: ${path}`]) {
      await directory.write('etcd.conf', `username: a\npassword-file: ${path}\n${more}\n`)
      seen.push(await directory.load().catch((error: unknown) => [String(error), error]))
    }
    seen.push(await etcdFaults(`endpoints: ["https://user:${canary}@etcd:2379"]`))
    seen.push(await etcdFaults(`password: ${canary}: x`))
    seen.push(await etcdFaults(`a: 1\n} ${canary}`))
    seen.push(await etcdFaults(`password: |${canary}`))
    seen.push(await etcdFaults(`password: !${canary} x`))
    seen.push((await loadEtcd(`password: ${canary}`)).warnings)
    expect(seen.flat()).not.toHaveLength(0)
    expect(JSON.stringify(seen)).not.toContain(canary)
  })

  test('an empty password file is refused', async () => {
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR, password: '\n' })
    const conf = `insecure-transport: true\nusername: a\npassword-file: ${directory.file('password')}`
    await directory.write('etcd.conf', conf)
    expect(await directory.faults()).toEqual(['etcd.conf:3:16: password-file: password is empty'])
  })
})

describe('etcd.conf and the environment', () => {
  test('ETCD_ENDPOINTS fills absent endpoints, trimmed, and goes before ETCDV3_ENDPOINTS', async () => {
    const env = { ETCD_ENDPOINTS: ' a:1 , , b ,', ETCDV3_ENDPOINTS: 'c' }
    const { etcd, etcdSource } = await loadEtcd('dial-timeout: 2s', env)
    expect([etcd.endpoints, etcd.dialTimeoutMs]).toEqual([['a:1', 'b:2379'], 2000])
    expect(etcdSource).toMatch(/etcd\.conf and environment variable ETCD_ENDPOINTS$/)
  })

  test('ETCDV3_ENDPOINTS counts when ETCD_ENDPOINTS is empty', async () => {
    expect((await loadEtcd('', { ETCD_ENDPOINTS: '', ETCDV3_ENDPOINTS: 'c' })).etcd.endpoints).toEqual(['c:2379'])
  })

  test('endpoints in the file go before the variables', async () => {
    const { etcd, etcdSource } = await loadEtcd('endpoints: [f]', { ETCD_ENDPOINTS: 'a' })
    expect(etcd.endpoints).toEqual(['f:2379'])
    expect(etcdSource).toMatch(/\/etcd\.conf$/)
  })

  test('any ETCD_EXPAND_ENV_VARS turns expand-env-variables on, even "false"', async () => {
    expect((await loadEtcd('', { ETCD_EXPAND_ENV_VARS: 'false' })).etcd.expandEnvVariables).toBe(true)
    expect((await loadEtcd('', { ETCD_EXPAND_ENV_VARS: '' })).etcd.expandEnvVariables).toBe(false)
  })

  test('a bad endpoint from a variable names the variable', async () => {
    expect(await etcdFaults('', { ETCD_ENDPOINTS: 'a,unix:///x' })).toEqual([
      'ETCD_ENDPOINTS: endpoint 2 unix sockets are not supported',
    ])
  })

  test('without any etcd.conf the variables alone are enough', async () => {
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR })
    const { etcd, etcdSource } = await directory.load({}, { ETCD_ENDPOINTS: 'https://a' })
    expect([etcd.endpoints, etcd.tls?.insecureSkipVerify]).toEqual([['a:2379'], false])
    expect(etcdSource).toBe('environment variable ETCD_ENDPOINTS')
  })

  test('without file and variables the error says where it looked and what to do', async () => {
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR })
    expect(await directory.faults()).toEqual([
      'etcd.conf: does not exist: write it, name one with --etcd-config, or set ETCD_ENDPOINTS',
    ])
  })

  test('a file that was named must exist, even when the variables are set', async () => {
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR })
    const faults = await directory.faults({ etcdConfig: 'no/other.conf' }, { ETCD_ENDPOINTS: 'a' })
    expect(faults).toEqual(['no/other.conf: does not exist (nor does no/other.conf)'])
  })

  test('a relative name is looked for below the configuration directory too', async () => {
    await using directory = await ConfigDir.create({ 'mirror.yaml': ONE_MIRROR, 'sub/other.conf': 'endpoints: [x]' })
    expect((await directory.load({ etcdConfig: 'sub/other.conf' })).etcd.endpoints).toEqual(['x:2379'])
  })
})
