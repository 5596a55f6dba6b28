import { execFile } from 'node:child_process'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { describe, expect, test } from 'vitest'
import { ensureEtcd } from '../../rig/ensure.mjs'
import { enableAuth } from '../../support/etcd-auth.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { MirrorRig } from '../../support/mirror-rig.ts'
import { eventually } from '../../support/wait.ts'
import { Page } from '../../unit/docs/markdown.ts'

const READER = { user: 'reader', password: 'first-password', role: 'app', prefix: '/app/' }

describe.each(['3.4', '3.6'] as const)('a user of etcd %s', (version) => {
  async function makeRig(etcd: EtcdServer, mirror: Record<string, unknown> = {}) {
    const rig = await MirrorRig.make(etcd, { mirror })
    await rig.writer.put('before', 'authentication')
    const { rootEnv } = await enableAuth(etcd, READER)
    const password = await rig.writeConfig('password', `${READER.password}\n`)
    const conf = { username: READER.user, 'password-file': password, 'insecure-transport': true }
    await rig.configure({ conf })
    const put = async (name: string, value: string) => {
      await etcd.etcdctl(['put', `/app/${name}`], { input: value, env: rootEnv })
    }
    const expectFile = (name: string, value: string) =>
      eventually(() => expect(rig.tree().files.get(name)?.toString()).toBe(value))
    const expectReason = (reason: string) =>
      eventually(async () => expect((await rig.status()).lastError?.reason).toBe(reason))
    return { rig, rootEnv, put, expectFile, expectReason, password }
  }

  test('with READ on the prefix alone is enough for copy, changes and freshness', async () => {
    await using etcd = await startEtcd({ version })
    const { rig: made, put, expectFile } = await makeRig(etcd, { maxStaleness: '1500ms' })
    await using rig = made
    expect((await rig.check()).output).toContain('ok       mirror app: 1 keys')
    rig.run()
    await expectFile('before', 'authentication')
    await put('after', 'one')
    await expectFile('after', 'one')
    const { lastKnownEqualAt } = await rig.status()
    await eventually(async () => expect((await rig.status()).lastKnownEqualAt).not.toBe(lastKnownEqualAt))
    expect(await rig.status()).toMatchObject({ lastError: null, sourceConnected: true, keys: 2 })
    expect((await rig.get('/readyz')).status).toBe(200)
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
  })

  test('who is made as docs/running.md says may read the prefix, and nothing else', async () => {
    await using etcd = await startEtcd({ version })
    await using rig = await MirrorRig.make(etcd, { prefix: '/config/app/' })
    await rig.writer.put('greeting', 'hello')
    const { rootEnv } = await enableAuth(etcd, { ...READER, prefix: '/other/' })
    const [commands = ''] = Page.read('docs/running.md').section('etcd user').blocks('sh')
    for (const line of commands.trim().split('\n')) {
      const [program, ...args] = line.split(' ')
      expect(program).toBe('etcdctl')
      // Nobody sits there to be asked for the password.
      const asked = args[1] === 'add' && args[0] === 'user' ? ['--interactive=false'] : []
      await etcd.etcdctl([...args, ...asked], { input: 'of-app\n', env: rootEnv })
    }
    const password = await rig.writeConfig('password', 'of-app\n')
    await rig.configure({ conf: { username: 'app', 'password-file': password, 'insecure-transport': true } })
    expect((await rig.check()).code).toBe(0)
    expect((await rig.runOnce()).code).toBe(0)
    expect(rig.tree().files.get('greeting')?.toString()).toBe('hello')
    const env = { ETCDCTL_USER: 'app:of-app' }
    await expect(etcd.etcdctl(['put', '/config/app/greeting', 'x'], { env })).rejects.toThrow('permission denied')
    await expect(etcd.etcdctl(['get', '/config/other', '--prefix'], { env })).rejects.toThrow('permission denied')
  })

  test('with a wrong password: exit code 4, check and status say so, and the right one heals a running mirror', async () => {
    await using etcd = await startEtcd({ version })
    const { rig: made, expectFile, expectReason } = await makeRig(etcd)
    await using rig = made
    await rig.writeConfig('password', 'wrong-password')
    const once = await rig.runOnce(['--timeout', '2s'])
    expect(once).toMatchObject({ code: 4, output: expect.stringContaining('authentication failed') })
    const checked = await rig.check()
    expect(checked).toMatchObject({ code: 4, output: expect.stringContaining('authentication failed') })
    expect(checked.output).toContain('Check username and password-file')
    const mirror = rig.run()
    await expectReason('AuthenticationFailed')
    expect((await rig.get('/readyz?verbose')).body).toContain('AuthenticationFailed')
    await rig.writeConfig('password', READER.password)
    await expectFile('before', 'authentication')
    expect((await rig.status()).lastError).toBeNull()
    for (const { output } of [once, checked, mirror]) expect(output).not.toContain('wrong-password')
  })

  test('without READ: check prints the command that is missing, and running it heals', async () => {
    await using etcd = await startEtcd({ version })
    const { rig: made, rootEnv, expectFile, expectReason } = await makeRig(etcd)
    await using rig = made
    await etcd.etcdctl(['role', 'revoke-permission', '--prefix=true', 'app', '/app/'], { env: rootEnv })
    rig.run()
    await expectReason('PermissionDenied')
    const { code, output } = await rig.check()
    expect(code).toBe(4)
    const command = output.split('\n').find((line) => line.trim().startsWith('etcdctl role grant-permission'))
    expect(command?.trim()).toBe(`etcdctl role grant-permission '<role of reader>' read '/app/' --prefix=true`)
    const { etcdctl } = await ensureEtcd(version)
    await promisify(execFile)('bash', ['-c', String(command).replace('<role of reader>', 'app')], {
      env: {
        PATH: `${dirname(etcdctl)}:${process.env.PATH}`,
        ETCDCTL_API: '3',
        ETCDCTL_ENDPOINTS: etcd.endpoint,
        ...rootEnv,
      },
    })
    await expectFile('before', 'authentication')
    expect(await rig.check()).toMatchObject({ code: 0 })
  })

  test('with a new password: the file is read again once etcd has forgotten its tokens', async () => {
    await using etcd = await startEtcd({ version })
    const { rig: made, rootEnv, put, expectFile } = await makeRig(etcd)
    await using rig = made
    rig.run()
    await expectFile('before', 'authentication')
    await etcd.etcdctl(['user', 'passwd', READER.user, '--interactive=false'], {
      input: 'second-password',
      env: rootEnv,
    })
    await rig.writeConfig('password', 'second-password\n')
    await etcd.restart()
    await put('after', 'restart')
    await expectFile('after', 'restart')
    expect((await rig.status()).lastError).toBeNull()
    expect(await rig.metric('etcd_mirror_resync_total')).toBe(1)
  })

  test('whose rights are revoked under a live watch keeps the last copy, says so, and heals after the grant', async () => {
    await using etcd = await startEtcd({ version })
    const { rig: made, rootEnv, put, expectFile, expectReason } = await makeRig(etcd, { maxStaleness: '600ms' })
    await using rig = made
    rig.run()
    await expectFile('before', 'authentication')
    await etcd.etcdctl(['role', 'revoke-permission', '--prefix=true', 'app', '/app/'], { env: rootEnv })
    await expectReason('PermissionDenied')
    expect(rig.tree().files.get('before')?.toString()).toBe('authentication')
    expect((await rig.status()).lastError?.hint).toContain('READ on the whole prefix')
    await eventually(async () => expect((await rig.get('/readyz')).status).toBe(503))
    expect((await rig.get('/livez')).status).toBe(200)
    await put('after', 'the revoke')
    await etcd.etcdctl(['role', 'grant-permission', '--prefix=true', 'app', 'read', '/app/'], { env: rootEnv })
    await expectFile('after', 'the revoke')
    await eventually(async () => expect((await rig.status()).lastError).toBeNull())
    await eventually(async () => expect((await rig.get('/readyz')).status).toBe(200))
  })
})
