import { copyFile, mkdir, readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'
import { ConfigMapMount } from '../../support/config-map-mount.ts'
import { enableAuth } from '../../support/etcd-auth.ts'
import { makeTempDir } from '../../support/temp-dir.ts'
import { makeTls, type TlsMaterial } from '../../support/tls.ts'
import { ReloadRig } from './reload-rig.ts'

test('certificates of a new authority are used before the old ones fail, without a snapshot', async () => {
  await using oldTls = await makeTls()
  await using newTls = await makeTls()
  await using directory = await makeTempDir('server-tls')
  const at = (name: string) => `${directory.path}/${name}`
  const server = {
    cert: at('server.crt'),
    key: at('server.key'),
    clientCa: at('ca.crt'),
    ca: at('ca.crt'),
    client: { cert: at('client.crt'), key: at('client.key') },
  }
  const equipServer = async ({ ca, server: pair, client }: TlsMaterial) => {
    await copyFile(ca, server.ca)
    await copyFile(pair.cert, server.cert)
    await copyFile(pair.key, server.key)
    await copyFile(client.cert, server.client.cert)
    await copyFile(client.key, server.client.key)
  }
  await equipServer(oldTls)
  await using rig = await ReloadRig.start({ tls: server })
  const secret = new ConfigMapMount(rig.path('secret'))
  await mkdir(secret.path)
  const text = (path: string) => readFile(path, 'utf8')
  const mount = async (authorities: readonly TlsMaterial[], { client }: TlsMaterial) => {
    const cas = await Promise.all(authorities.map(({ ca }) => text(ca)))
    await secret.update({ ca: cas.join(''), cert: await text(client.cert), key: await text(client.key) })
  }
  await mount([oldTls], oldTls)
  const conf = ['ca', 'cert', 'key'].map((name) => `${name}-file: ${secret.file(name)}\n`).join('')
  const yaml = rig.mirrorYaml({ a: { prefix: '/a/' }, b: { prefix: '/b/' } })
  await rig.config.update({ 'etcd.conf': rig.etcdConf(conf), 'mirror.yaml': yaml })
  await rig.put('/a/key', 'one')
  await rig.runUntilReady()

  await mount([oldTls, newTls], oldTls)
  expect(await rig.waitForLog('configuration reloaded')).toMatchObject({ restarted: ['a', 'b'], kept: [] })
  await rig.ready()

  // A key that does not fit its certificate, as when two files are replaced one after the other.
  await secret.update({
    ca: await text(newTls.ca),
    cert: await text(newTls.client.cert),
    key: await text(oldTls.client.key),
  })
  await rig.waitForLog('the configuration is broken; the one in use stays')
  await mount([newTls], newTls)
  await rig.waitForLog('configuration reloaded', 2)
  await equipServer(newTls)
  await rig.etcd.restart()

  await rig.put('/a/key', 'two')
  await rig.shows('a', 'key', 'two')
  const starts = ['start', 'unproven', 'reset', 'request', 'reconnect', 'target'].map((reason) =>
    rig.metric(`etcd_mirror_resync_total{mirror="a",reason="${reason}"}`),
  )
  expect(await Promise.all(starts)).toEqual([1, 0, 0, 0, 0, 0])
})

test('certificates are exchanged even while the configuration is broken', async () => {
  await using tls = await makeTls()
  await using rig = await ReloadRig.start({ tls: { ...tls.server, ca: tls.ca } })
  const secret = new ConfigMapMount(rig.path('secret'))
  await mkdir(secret.path)
  const authority = await readFile(tls.ca, 'utf8')
  await secret.update({ ca: authority })
  const conf = rig.etcdConf(`ca-file: ${secret.file('ca')}\n`)
  const yaml = rig.mirrorYaml({ app: { prefix: '/app/' } })
  await rig.config.update({ 'etcd.conf': conf, 'mirror.yaml': yaml })
  await rig.runUntilReady()
  await rig.config.update({ 'etcd.conf': 'endpoints: 7\n', 'mirror.yaml': yaml })
  await rig.waitForLog('the configuration is broken; the one in use stays')
  await secret.update({ ca: `${authority}${await readFile(tls.otherCa, 'utf8')}` })
  await rig.waitForLog('certificates exchanged')
  await rig.ready()
  expect((await rig.status()).config.lastReload).toMatchObject({ result: 'error' })
})

test('a password that was changed in etcd and in its file is used, and no mirror restarts', async () => {
  await using rig = await ReloadRig.start()
  const { rootEnv } = await enableAuth(rig.etcd, { user: 'mirror', password: 'one', role: 'reader', prefix: '/app/' })
  const secret = new ConfigMapMount(rig.path('secret'))
  await mkdir(secret.path)
  await secret.update({ password: 'one\n' })
  await rig.put('/app/key', 'one', rootEnv)
  const conf = `insecure-transport: true\nusername: mirror\npassword-file: ${secret.file('password')}\n`
  const yaml = rig.mirrorYaml({ app: { prefix: '/app/' } })
  await rig.config.update({ 'etcd.conf': rig.etcdConf(conf), 'mirror.yaml': yaml })
  await rig.runUntilReady()

  await rig.etcd.etcdctl(['user', 'passwd', 'mirror', '--interactive=false'], { env: rootEnv, input: 'two\n' })
  await secret.update({ password: 'two\n' })
  expect(await rig.waitForLog('configuration reloaded')).toMatchObject({ kept: ['app'], restarted: [] })
  await rig.etcd.restart()
  await rig.put('/app/key', 'two', rootEnv)
  await rig.shows('app', 'key', 'two')
  expect(rig.process.output).not.toMatch(/AuthenticationFailed/)
})
