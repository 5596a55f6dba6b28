import { lstatSync, readdirSync, readFileSync } from 'node:fs'
import { appendFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { enableAuth } from '../../support/etcd-auth.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import type { MirrorProcess } from '../../support/mirror-process.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { makeTls, type TlsMaterial } from '../../support/tls.ts'
import { currentName } from '../../support/tree-reader.ts'
import { eventually } from '../../support/wait.ts'

/** What nobody but a consumer of the tree may ever see: planted wherever a secret may stand. */
const CANARY = 'c4nary'
const VALUE = `${CANARY}-value`
const PASSWORD = `${CANARY}-password`
const COMMENT = `${CANARY}-comment`
const WRONG = `${CANARY}-wrong`

const ENDPOINTS = ['/livez', '/readyz', '/startupz', '/healthz', '/liveness', '/readiness', '/metrics', '/status', '/']
const FORMATS = ['json', 'text'] as const

/** Keeps everything that a mirror says. */
class Ear {
  readonly #heard: string[] = []

  hear(text: string): void {
    this.#heard.push(text)
  }

  async hearHttp(rig: MirrorRig): Promise<void> {
    for (const path of [...ENDPOINTS, ...ENDPOINTS.map((each) => `${each}?verbose`), `/${CANARY.slice(1)}`]) {
      const response = await fetch(`http://${rig.http}${path}`)
      this.hear(`${path}\n${JSON.stringify([...response.headers])}\n${await response.text()}`)
    }
  }

  expectNoSecret(secrets: readonly string[] = []): void {
    const all = this.#heard.join('\n')
    expect(all.length).toBeGreaterThan(1000)
    const forms = (text: string) => [
      text,
      Buffer.from(text).toString('base64').slice(0, -4),
      Buffer.from(text).toString('hex'),
    ]
    for (const secret of [CANARY, ...[VALUE, PASSWORD, COMMENT, WRONG].flatMap(forms), ...secrets]) {
      const at = all.indexOf(secret)
      expect(at === -1 ? 'nothing' : all.slice(Math.max(0, at - 200), at + 100)).toBe('nothing')
    }
  }
}

/** Everything below the root that is not for consumers: for its owner alone, and without a secret. */
function expectOwnFilesPrivate(root: string, ear: Ear): void {
  const meta = join(root, '.etcd-mirror')
  expect(lstatSync(meta).mode & 0o777).toBe(0o700)
  for (const name of readdirSync(meta, { recursive: true, encoding: 'utf8' })) {
    // Trees in the making hold values, and are for consumers once they are made.
    const stats = lstatSync(join(meta, name))
    if (name.startsWith('work/') || !stats.isFile() || (name === 'lock' && stats.size === 0)) continue
    expect([name, stats.mode & 0o077]).toEqual([name, 0])
    ear.hear(readFileSync(join(meta, name), 'utf8'))
  }
}

async function end(mirror: MirrorProcess, ear: Ear): Promise<void> {
  await mirror.kill()
  ear.hear(mirror.output)
}

describe('values and passwords appear in no output', () => {
  let etcd: EtcdServer
  let tls: TlsMaterial
  beforeAll(async () => {
    ;[etcd, tls] = await Promise.all([startEtcd({ version: '3.6' }), makeTls()])
  })
  afterAll(async () => {
    await etcd[Symbol.asyncDispose]()
    await tls[Symbol.asyncDispose]()
  })

  test.each(FORMATS)('while all goes well, while a guard holds, and while drift is repaired (%s)', async (format) => {
    await using rig = await MirrorRig.make(etcd, { mirror: { safety: {}, limits: { maxValueBytes: '64Ki' } } })
    const ear = new Ear()
    const { writer } = rig
    await writer.deletePrefix('')
    await writer.put('plain', VALUE)
    await writer.put('huge', VALUE.repeat(4000))
    await writer.put('binary', Buffer.concat([Buffer.from([0, 0xff]), Buffer.from(VALUE)]))
    await writer.put('x'.repeat(4090), VALUE)
    await writer.put('\u0000\u001b[2J', VALUE)
    for (let count = 0; count < 30; count++) await writer.put(`many/${count}`, VALUE)
    const mirror = rig.run(['--log-level', 'debug', '--log-format', format])
    await rig.settled()
    expect((await rig.status()).keyErrors.count).toBe(1)
    await ear.hearHttp(rig)
    // Somebody changes a file, and a complete comparison repairs it.
    const file = join(rig.root, 'current/plain')
    await rm(file)
    await writeFile(file, `${VALUE} changed`)
    mirror.signal('SIGHUP')
    await eventually(async () => expect(await readFile(join(rig.root, 'current/plain'), 'utf8')).toBe(VALUE))
    await ear.hearHttp(rig)
    // Beyond a limit, and then deletes that look like an accident.
    await writer.put('too-large', VALUE.repeat(10_000))
    await eventually(async () => expect((await rig.status()).lastError?.reason).toBe('LimitExceeded'))
    await ear.hearHttp(rig)
    await writer.delete('too-large')
    await eventually(async () => expect((await rig.status()).lastError).toBeNull())
    await writer.deletePrefix('')
    await eventually(async () => expect((await rig.status()).lastError?.reason).toMatch(/Refused/))
    await ear.hearHttp(rig)
    await end(mirror, ear)
    const checked = await rig.check()
    ear.hear(checked.output)
    expectOwnFilesPrivate(rig.root, ear)
    expect(currentName(rig.root)).toBeDefined()
    ear.expectNoSecret()
  })

  test.each(FORMATS)('while etcd, the root or the configuration is refused (%s)', async (format) => {
    await using rig = await MirrorRig.make(etcd)
    const ear = new Ear()
    const flags = ['--log-level', 'debug', '--log-format', format]
    await rig.writer.put('plain', VALUE)
    // A root of somebody else, whose files hold secrets too.
    await mkdir(rig.root)
    await writeFile(join(rig.root, 'precious'), VALUE)
    const refused = rig.run(flags)
    await eventually(async () => expect((await rig.status()).lastError?.reason).toBe('TargetForeign'))
    await ear.hearHttp(rig)
    await end(refused, ear)
    await rm(rig.root, { recursive: true })
    // A wrong client certificate, to a port that does not even speak TLS.
    const { cert, key } = tls.foreignClient
    await rig.configure({
      conf: {
        endpoints: [etcd.endpoint.replace('http:', 'https:')],
        'ca-file': tls.ca,
        'cert-file': cert,
        'key-file': key,
      },
    })
    const unreachable = rig.run(flags)
    await eventually(async () => expect((await rig.status()).lastError?.reason).toBe('TlsRefused'))
    await ear.hearHttp(rig)
    await end(unreachable, ear)
    ear.hear((await rig.check()).output)
    // Broken files: a secret in a comment, as the value of every kind of field, and as the text of a file that is none.
    const etcdConf = await rig.writeConfig('etcd.conf', '')
    for (const wrong of [
      `# ${COMMENT}\ndial-timeout: ${WRONG}`,
      `endpoints: ["http://user:${PASSWORD}@h:1", "${WRONG}://x", "${WRONG}!"]`,
      `endpoints: ${WRONG}\nsession-ttl: ${WRONG}\ninsecure-transport: ${WRONG}`,
      `password: ${PASSWORD}\nusername: [${WRONG}]\npassword-file: { a: ${PASSWORD} }`,
      `username: "${WRONG}\nkey-file: ${WRONG}`,
      `a: *${WRONG}`,
      `username: x\npassword-file: ${etcdConf}\ninsecure-transport: ${PASSWORD}`,
      `key-file: ${etcdConf}\ncert-file: ${etcdConf} # -----BEGIN ${COMMENT}`,
    ]) {
      await writeFile(etcdConf, `${wrong}\n# ${COMMENT}\n`)
      const { code, output } = await rig.result(rig.command('check', []))
      expect(code).not.toBe(0)
      ear.hear(output)
    }
    await rig.configure()
    const mirrorYaml = join(rig.configDirectory, 'mirror.yaml')
    for (const wrong of [
      `mirrors: ${WRONG}`,
      `mirrors: [{ name: "${WRONG} x", prefix: "${WRONG}", target: ${WRONG} }]`,
      `mirrors: [{ name: app, prefix: /a/, verifyEvery: ${WRONG}, limits: { maxBytes: ${WRONG}, maxKeys: ${WRONG} }, target: { files: { root: ${WRONG}, mode: ${WRONG}, layout: ${WRONG} } } }]`,
      `http: { bind: ${WRONG} }`,
    ]) {
      await writeFile(mirrorYaml, `# ${COMMENT}\n${wrong}\n`)
      ear.hear((await rig.result(rig.command('check', []))).output)
    }
    // A reload that is refused; the configuration that is kept below the root.
    await rig.configure()
    await appendFile(mirrorYaml, `\n# ${COMMENT}\n`)
    await appendFile(etcdConf, `\n# ${COMMENT}\n`)
    const mirror = rig.run(flags)
    await rig.settled()
    await writeFile(mirrorYaml, `mirrors: [{ name: app, verifyEvery: ${WRONG} }] # ${COMMENT}`)
    rig.acceptSurroundings()
    mirror.signal('SIGHUP')
    await eventually(async () =>
      expect(JSON.parse((await rig.get('/status')).body).config.lastReload?.result).toBe('error'),
    )
    await ear.hearHttp(rig)
    await end(mirror, ear)
    expectOwnFilesPrivate(rig.root, ear)
    // Whole lines of the keys' PEM, and the file that is not ours to show.
    const pem = readFileSync(key, 'utf8')
      .split('\n')
      .filter((line) => /^[A-Za-z0-9+/=]{20,}$/.test(line))
    expect(pem.length).toBeGreaterThan(0)
    ear.expectNoSecret(pem)
  })

  test('while a password is right, then wrong, then without rights', async () => {
    await using secured = await startEtcd({ version: '3.6' })
    await using rig = await MirrorRig.make(secured)
    const ear = new Ear()
    await rig.writer.put('plain', VALUE)
    const { rootEnv } = await enableAuth(secured, { user: 'mirror', password: PASSWORD, role: 'app', prefix: '/app/' })
    const passwordFile = await rig.writeConfig('password', `${PASSWORD}\n`)
    const conf = { username: 'mirror', 'password-file': passwordFile, 'insecure-transport': true }
    await rig.configure({ conf })
    const mirror = rig.run(['--log-level', 'debug'])
    await eventually(async () => expect((await rig.status()).published).toBe(true))
    await ear.hearHttp(rig)
    await end(mirror, ear)
    ear.hear((await rig.check()).output)
    await rig.writeConfig('password', `${WRONG}\n`)
    const refused = rig.run(['--log-level', 'debug', '--log-format', 'text'])
    await eventually(async () => expect((await rig.status()).lastError?.reason).toBe('AuthenticationFailed'))
    await ear.hearHttp(rig)
    await end(refused, ear)
    ear.hear((await rig.check()).output)
    await rig.writeConfig('password', `${PASSWORD}\n`)
    await secured.etcdctl(['role', 'revoke-permission', '--prefix=true', 'app', '/app/'], { env: rootEnv })
    const denied = await rig.check()
    expect(denied.code).toBe(4)
    ear.hear(denied.output)
    expectOwnFilesPrivate(rig.root, ear)
    ear.expectNoSecret()
  })
})
