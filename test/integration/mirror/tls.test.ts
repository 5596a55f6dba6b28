import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type EtcdServer, type EtcdTls, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { makeTls, type TlsMaterial } from '../../support/tls.ts'
import { eventually } from '../../support/wait.ts'

describe.each(['3.4', '3.6'] as const)('TLS to etcd %s', (version) => {
  let tls: TlsMaterial
  const servers = new Map<string, EtcdServer>()
  beforeAll(async () => {
    tls = await makeTls()
    const kinds: Record<string, EtcdTls> = {
      plain: { ...tls.server, ca: tls.ca },
      mutual: { ...tls.server, ca: tls.ca, client: tls.client, clientCa: tls.ca },
      expired: { ...tls.expired, ca: tls.ca },
      wrongHost: { ...tls.wrongHost, ca: tls.ca },
    }
    for (const [kind, options] of Object.entries(kinds)) {
      servers.set(kind, await startEtcd({ version, tls: options }))
    }
  })
  afterAll(async () => {
    for (const server of servers.values()) await server[Symbol.asyncDispose]()
    await tls[Symbol.asyncDispose]()
  })

  const makeRig = async (kind: string, conf: Record<string, unknown>) => {
    const etcd = servers.get(kind)
    if (etcd === undefined) throw new Error(`No server ${kind}`)
    return { etcd, rig: await MirrorRig.make(etcd, { conf: { 'ca-file': tls.ca, ...conf } }) }
  }
  const clientPair = () => ({ 'cert-file': tls.client.cert, 'key-file': tls.client.key })

  test.each([
    ['with the server’s CA', 'plain', () => ({})],
    ['with a server name', 'plain', () => ({ 'server-name': 'etcd.test' })],
    ['with the name that a certificate for another host is for', 'wrongHost', () => ({ 'server-name': 'other.test' })],
    ['with a client certificate and a server name', 'mutual', () => ({ ...clientPair(), 'server-name': 'etcd.test' })],
    ['with an unknown CA when verification is off', 'plain', () => ({ 'insecure-skip-tls-verify': true })],
  ] as const)('mirrors and follows %s', async (_name, kind, conf) => {
    const { etcd, rig: made } = await makeRig(kind, conf())
    await using rig = made
    // A certificate for another host is refused by etcdctl as well.
    const put = (value: string) => etcd.etcdctl(['--insecure-skip-tls-verify', 'put', '/app/key', value])
    await put('one')
    rig.run()
    const expectValue = (value: string) => eventually(() => expect(rig.tree().files.get('key')?.toString()).toBe(value))
    await expectValue('one')
    await put('two')
    await expectValue('two')
  })

  test.each([
    ['an expired certificate', 'expired', () => ({}), /certificate has expired/],
    ['a certificate for another host', 'wrongHost', () => ({}), /altnames|does not match/],
    ['an unknown CA', 'plain', () => ({ 'ca-file': tls.otherCa }), /unable to verify|self.signed|issuer/],
    ['no client certificate', 'mutual', () => ({}), /certificate required|bad certificate/],
    [
      'a client certificate of an unknown CA',
      'mutual',
      () => ({ 'cert-file': tls.foreignClient.cert, 'key-file': tls.foreignClient.key }),
      /unknown certificate authority|unknown ca|bad certificate/,
    ],
  ] as const)('%s is refused with an error of its own', async (_name, kind, conf, state) => {
    const { rig: made } = await makeRig(kind, conf())
    await using rig = made
    const checked = await rig.check()
    expect(checked.output).toMatch(state)
    expect(checked.output).toContain('TLS failed')
    expect(checked.code).toBe(4)
    expect(await rig.runOnce(['--timeout', '500ms'])).toMatchObject({ code: 4, output: expect.stringMatching(state) })
    rig.run()
    await eventually(async () => expect((await rig.status()).lastError?.reason).toBe('TlsRefused'))
    expect((await rig.get('/readyz')).status).toBe(503)
    expect((await rig.get('/livez')).status).toBe(200)
  })
})
