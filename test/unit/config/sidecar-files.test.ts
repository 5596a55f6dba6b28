import { expect, test } from 'vitest'
import { sidecarEtcdConf, sidecarMirrorYaml } from '../../../src/config/sidecar-files.ts'
import { ConfigDir } from './config-dir.ts'

const NONE = { hasTls: false, hasCa: false, hasCertificate: false, username: undefined }

test('sidecarMirrorYaml and sidecarEtcdConf are read by a sidecar as they are', async () => {
  const mirrorYaml = sidecarMirrorYaml('app', {
    connectionRef: { name: 'main' },
    prefix: '/config/app/',
    maxStaleness: '5m',
    limits: { maxKeys: 10 },
    target: { files: { layout: 'InPlace', render: [{ tree: {} }] } },
  })
  const etcdConf = sidecarEtcdConf({ endpoints: ['etcd:2379'], insecureTransport: true, dialTimeout: '2s' }, NONE)
  await using directory = await ConfigDir.create({ 'mirror.yaml': mirrorYaml, 'etcd.conf': etcdConf })
  const { etcd, process, warnings } = await directory.load()
  expect(warnings).toEqual([])
  expect(etcd).toMatchObject({ endpoints: ['etcd:2379'], dialTimeoutMs: 2000, insecureTransport: true })
  expect(process.mirrors).toMatchObject([
    { name: 'app', maxStalenessMs: 300_000, limits: { maxKeys: 10 }, target: { files: { root: '/mirror/app' } } },
  ])
})

test('they hold only what was set', () => {
  const spec = { connectionRef: { name: 'main' }, prefix: '/a/', target: { files: {} } }
  expect(sidecarMirrorYaml('app', spec)).toBe(
    'mirrors:\n  - name: app\n    prefix: /a/\n    target:\n      files:\n        root: /mirror/app\n',
  )
  expect(sidecarEtcdConf({ endpoints: ['etcd:2379'] }, NONE)).toBe('endpoints:\n  - etcd:2379\n')
})

test('credentials are files that the connection has, and no bytes of them', () => {
  const spec = { endpoints: ['etcd'], tls: { secretRef: { name: 'tls' }, serverName: 'x' }, auth: { secretRef: {} } }
  const facts = { hasTls: true, hasCa: true, hasCertificate: true, username: 'app' }
  expect(sidecarEtcdConf(spec, facts)).toBe(`endpoints:
  - https://etcd
server-name: x
ca-file: /etc/etcd-mirror/tls/ca.crt
cert-file: /etc/etcd-mirror/tls/tls.crt
key-file: /etc/etcd-mirror/tls/tls.key
username: app
password-file: /etc/etcd-mirror/auth/password
`)
})
