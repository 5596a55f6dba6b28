import { readFile } from 'node:fs/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { ETCD_CONNECTIONS, ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { enableAuth } from '../../support/etcd-auth.ts'
import { type EtcdServer, startEtcd } from '../../support/etcd-server.ts'
import { type KubeApi, startKubeApi } from '../../support/kube-api.ts'
import { conditionsOf, OPERATOR_USER, OperatorRig } from '../../support/operator-rig.ts'
import { makeTls, type TlsMaterial } from '../../support/tls.ts'

const apiVersion = 'etcdmirror.dev/v1alpha1'
const ROOT = { env: { ETCDCTL_USER: 'root:root-password' } }

let tls: TlsMaterial
let api: KubeApi
let etcd: EtcdServer
let rig: OperatorRig
let namespace: string

beforeAll(async () => {
  tls = await makeTls()
  etcd = await startEtcd({ version: '3.6', tls: { ...tls.server, ca: tls.ca } })
  await enableAuth(etcd, { user: 'app', password: 'first', role: 'reader', prefix: '/a/' })
  api = await startKubeApi({ users: [OPERATOR_USER] })
  rig = await OperatorRig.make(api)
  namespace = await rig.namespace()
  await rig.operator(['--leader-election', 'false'])
})
afterAll(async () => {
  await rig?.[Symbol.asyncDispose]()
  await api?.[Symbol.asyncDispose]()
  await etcd?.[Symbol.asyncDispose]()
  await tls?.[Symbol.asyncDispose]()
})

const secret = (name: string, stringData: Readonly<Record<string, string>>) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  stringData,
})
const login = (password: string) => secret('login', { username: 'app', password })
const put = (value: string) => etcd.etcdctl(['put', '/a/key', value], ROOT)
const untilValue = (value: string) =>
  rig.until(CONFIG_MAPS, namespace, 'app', (object) => expect(object?.data).toEqual({ key: value, other: 'x' }))
const untilConnection = (expected: Readonly<Record<string, string>>) =>
  rig.until(ETCD_CONNECTIONS, namespace, 'main', (object) => expect(conditionsOf(object)).toMatchObject(expected))
const untilMirror = (expected: Readonly<Record<string, string>>, name = 'app') =>
  rig.until(ETCD_MIRRORS, namespace, name, (object) => expect(conditionsOf(object)).toMatchObject(expected))
const mirror = (name: string, spec: object = {}) => ({
  apiVersion,
  kind: 'EtcdMirror',
  metadata: { name, namespace },
  spec: { connectionRef: { name: 'main' }, prefix: '/a/', target: { configMap: { name } }, ...spec },
})

test('Secrets come, change and go; etcd and the API server go and come again', async () => {
  await put('one')
  await etcd.etcdctl(['put', '/a/other', 'x'], ROOT)
  await rig.apply([
    {
      apiVersion,
      kind: 'EtcdConnection',
      metadata: { name: 'main', namespace },
      spec: {
        endpoints: [etcd.endpoint.replace(/^https?:\/\//, '')],
        tls: { secretRef: { name: 'tls' } },
        auth: { secretRef: { name: 'login' } },
      },
    },
    mirror('app'),
  ])
  await untilConnection({ Ready: 'False/SecretNotFound', Stalled: 'True/SecretNotFound' })
  await untilMirror({ Ready: 'False/ConnectionNotReady', Stalled: 'True/ConnectionNotReady' })

  const ca = await readFile(tls.ca, 'utf8')
  await rig.apply([secret('tls', { 'ca.crt': ca }), login('first')])
  await untilValue('one')
  await untilConnection({ Ready: 'True/Connected', Stalled: 'False/AsExpected' })

  // The password changes in etcd, and later in the Secret.
  await etcd.etcdctl(['user', 'passwd', 'app', '--interactive=false'], { ...ROOT, input: 'second' })
  await etcd.restart()
  await put('two')
  await untilMirror({ Ready: 'True/Published', SourceConnected: 'False/AuthenticationFailed' })
  await rig.apply([login('second')])
  await untilValue('two')
  await untilMirror({ Ready: 'True/Published', SourceConnected: 'True/Connected' })

  // What is usable stays in use while what is written now is not.
  await api.kubectl(['-n', namespace, 'delete', 'secret', 'login'])
  await untilConnection({ Ready: 'False/SecretNotFound', Degraded: 'True/SecretNotFound' })
  await put('three')
  await untilValue('three')
  await rig.apply([login('second')])
  await untilConnection({ Ready: 'True/Connected', Degraded: 'False/AsExpected' })

  // An open watch outlives the rights: what is asked every third of maxStaleness does not.
  const connected = { SourceConnected: 'True/Connected' }
  await rig.apply([mirror('fresh', { maxStaleness: '3s' })])
  await untilMirror({ ...connected, Degraded: 'False/AsExpected' }, 'fresh')
  await etcd.etcdctl(['role', 'revoke-permission', '--prefix=true', 'reader', '/a/'], ROOT)
  await untilMirror({ ...connected, Degraded: 'True/AccessDenied' }, 'fresh')
  await etcd.etcdctl(['role', 'grant-permission', '--prefix=true', 'reader', 'read', '/a/'], ROOT)
  await untilMirror({ ...connected, Degraded: 'False/AsExpected' }, 'fresh')

  // What a guard says does not hide that etcd is away, nor that it is back.
  const held = { Ready: 'False/LimitExceeded', Degraded: 'True/LimitExceeded' }
  await rig.apply([mirror('held', { limits: { maxKeys: 1 } })])
  await untilMirror({ ...held, ...connected }, 'held')
  await etcd.kill()
  await untilMirror({ Ready: 'True/Published', SourceConnected: 'False/Unavailable' })
  await untilMirror({ ...held, SourceConnected: 'False/Unavailable' }, 'held')
  await etcd.restart()
  await untilMirror({ Ready: 'True/Published', ...connected })
  await untilMirror({ ...held, ...connected }, 'held')

  await api.kill()
  await put('four')
  await api.restart()
  await untilValue('four')
  await untilMirror({ Ready: 'True/Published', SourceConnected: 'True/Connected', Degraded: 'False/AsExpected' })
})
