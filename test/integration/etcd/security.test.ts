import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import type { TlsOptions } from '../../../src/etcd/options.ts'
import { readHead } from '../../../src/replication/head.ts'
import { watchRevisions } from '../../../src/replication/revisions.ts'
import { takeSnapshot } from '../../../src/replication/snapshot.ts'
import { enableAuth } from '../../support/etcd-auth.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { openClient } from '../../support/scripted-client.ts'
import { Collector } from '../../support/scripted-collector.ts'
import { makeTempDir, type TempDir } from '../../support/temp-dir.ts'
import { makeTls, type TlsMaterial } from '../../support/tls.ts'

const never = { signal: new AbortController().signal }
const key = Buffer.from('/app/a')
const prefix = Buffer.from('/app/')

describe.each(['3.4', '3.6'] as const)('EtcdClient with TLS on etcd %s', (version) => {
  let material: TlsMaterial
  let etcd: EtcdServer
  const endpoint = () => `127.0.0.1:${etcd.clientPort}`
  const tls = (overrides: Partial<TlsOptions> = {}): TlsOptions => ({
    insecureSkipVerify: false,
    caFile: material.ca,
    certFile: material.client.cert,
    keyFile: material.client.key,
    serverName: undefined,
    ...overrides,
  })
  const read = async (overrides: Partial<TlsOptions> | undefined) => {
    using client = await openClient(endpoint(), { tls: overrides && tls(overrides) })
    return await client.unary('range', { key }, never)
  }

  beforeAll(async () => {
    material = await makeTls()
    const { server, client, ca } = material
    etcd = await startEtcd({ version, tls: { ...server, ca, client, clientCa: ca } })
  })

  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
    await material[Symbol.asyncDispose]()
  })

  test('reads, writes and watches with a client certificate, and with the name the server was told to have', async () => {
    for (const serverName of [undefined, 'etcd.test']) {
      using client = await openClient(endpoint(), { tls: tls({ serverName }) })
      const { header } = await client.unary('put', { key, value: key }, never)
      const stop = new AbortController()
      onTestFinished(() => stop.abort())
      const revisions = watchRevisions(client, prefix, header.revision - 1, {
        signal: stop.signal,
        prove: async () => {},
      })
      await new Collector(revisions).reached(header.revision)
    }
  })

  test('refuses a server of another authority, and one of another name', async () => {
    const refused = { code: 'TlsRefused', retryable: true }
    await expect(read({ caFile: material.otherCa })).rejects.toMatchObject(refused)
    await expect(read({ serverName: 'other.test' })).rejects.toMatchObject(refused)
    await expect(read({ caFile: undefined })).rejects.toMatchObject(refused)
  })

  test('insecureSkipVerify accepts any server', async () => {
    await expect(read({ caFile: material.otherCa, insecureSkipVerify: true })).resolves.toMatchObject({
      kvs: [{ key }],
    })
  })

  test('is refused without a client certificate, or with one of another authority', async () => {
    for (const { cert, key: keyFile } of [{ cert: undefined, key: undefined }, material.foreignClient]) {
      await expect(read({ certFile: cert, keyFile })).rejects.toMatchObject({ code: 'TlsRefused', retryable: true })
    }
  })

  test('plain text to a TLS server fails, and so does TLS to a plain one', async () => {
    await expect(read(undefined)).rejects.toMatchObject({ code: 'Unavailable' })
    await using plain = await startEtcd({ version })
    using client = await openClient(`127.0.0.1:${plain.clientPort}`, { tls: tls() })
    await expect(client.unary('range', { key }, never)).rejects.toMatchObject({ code: 'TlsRefused' })
  })

  test('an expired server certificate is refused with its reason', async () => {
    await using expired = await startEtcd({ version, tls: { ...material.expired, ca: material.ca } })
    using client = await openClient(`127.0.0.1:${expired.clientPort}`, { tls: tls() })
    await expect(client.unary('range', { key }, never)).rejects.toMatchObject({
      code: 'TlsRefused',
      message: expect.stringContaining('expired'),
    })
  })
})

describe.each(['3.4', '3.6'] as const)('EtcdClient with user and password on etcd %s', (version) => {
  let etcd: EtcdServer
  let directory: TempDir
  let passwordFile: string
  let rootEnv: Readonly<Record<string, string>>
  const open = (overrides: object = {}) =>
    openClient(`127.0.0.1:${etcd.clientPort}`, { username: 'mirror', passwordFile, ...overrides })
  const putAsRoot = (name: string, value: string) => etcd.etcdctl(['put', name, value], { env: rootEnv })

  beforeAll(async () => {
    directory = await makeTempDir('password')
    passwordFile = join(directory.path, 'password')
    await writeFile(passwordFile, 'secret\n')
    etcd = await startEtcd({ version })
  })

  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
    await directory[Symbol.asyncDispose]()
  })

  test('works before authentication is switched on, and goes on when it is', async () => {
    using client = await open()
    await client.unary('put', { key, value: key }, never)
    ;({ rootEnv } = await enableAuth(etcd, { user: 'mirror', password: 'secret', role: 'app', prefix: '/app/' }))
    expect((await client.unary('range', { key }, never)).kvs).toHaveLength(1)
  })

  test('READ on the prefix is enough for head, snapshot and watch, and for nothing else', async () => {
    using client = await open()
    const head = await readHead(client, prefix, never)
    const snapshot = await takeSnapshot(client, prefix, never)
    expect(snapshot.revision).toBeGreaterThanOrEqual(head.revision)
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const collector = new Collector(
      watchRevisions(client, prefix, snapshot.revision, { signal: stop.signal, prove: async () => {} }),
    )
    await putAsRoot('/app/b', '1')
    await collector.count(1)
    expect(collector.log).toEqual([`${snapshot.revision + 1}:/app/b`])
    const denied = { code: 'PermissionDenied', retryable: true, hint: expect.stringContaining('READ') }
    await expect(client.unary('put', { key, value: key }, never)).rejects.toMatchObject(denied)
    await expect(takeSnapshot(client, Buffer.from('/other/'), never)).rejects.toMatchObject(denied)
    await expect(takeSnapshot(client, Buffer.from('/ap'), never)).rejects.toMatchObject(denied)
  })

  test('a watch outside of what may be read is told, and tried again', async () => {
    using client = await open()
    const stop = new AbortController()
    const { promise: told, resolve: tell } = Promise.withResolvers<unknown>()
    const collector = new Collector(
      watchRevisions(client, Buffer.from('/other/'), 1, { signal: stop.signal, prove: async () => {}, onState: tell }),
    )
    expect(await told).toMatchObject({ code: 'PermissionDenied' })
    stop.abort(new Error('enough'))
    expect(await collector.failure).toMatchObject({ message: 'enough' })
  })

  test('a wrong password and an unknown user are refused, and a missing one is told', async () => {
    const wrong = join(directory.path, 'wrong')
    await writeFile(wrong, 'hunter2')
    for (const overrides of [{ passwordFile: wrong }, { username: 'nobody' }, { username: undefined }]) {
      using client = await open(overrides)
      await expect(client.unary('range', { key }, never)).rejects.toMatchObject({
        code: 'AuthenticationFailed',
        message: expect.not.stringContaining('hunter2'),
      })
    }
  })

  test('calls and watches go on when etcd has forgotten all tokens, with nothing lost', async () => {
    using client = await open()
    const { revision } = await readHead(client, prefix, never)
    const stop = new AbortController()
    onTestFinished(() => stop.abort())
    const { promise: isOpen, resolve } = Promise.withResolvers<void>()
    const collector = new Collector(
      watchRevisions(client, prefix, revision, {
        signal: stop.signal,
        prove: async (signal) => void (await readHead(client, prefix, { signal })),
        onState: (failure) => failure ?? resolve(),
      }),
    )
    await isOpen
    await etcd.restart()
    await putAsRoot('/app/c', '1')
    await collector.count(1)
    expect(collector.log).toEqual([`${revision + 1}:/app/c`])
    expect((await Promise.all([1, 2, 3].map(() => readHead(client, prefix, never)))).length).toBe(3)
  })
})
