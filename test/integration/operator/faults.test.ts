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
  rig.until(CONFIG_MAPS, namespace, 'app', (object) => expect(object?.data).toEqual({ key: value }))
const untilConnection = (expected: Readonly<Record<string, string>>) =>
  rig.until(ETCD_CONNECTIONS, namespace, 'main', (object) => expect(conditionsOf(object)).toMatchObject(expected))
const untilMirror = (expected: Readonly<Record<string, string>>) =>
  rig.until(ETCD_MIRRORS, namespace, 'app', (object) => expect(conditionsOf(object)).toMatchObject(expected))

test('Secrets come, change and go; etcd and the API server go and come again', async () => {
  await put('one')
  const target = { configMap: { name: 'app' } }
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
    {
      apiVersion,
      kind: 'EtcdMirror',
      metadata: { name: 'app', namespace },
      spec: { connectionRef: { name: 'main' }, prefix: '/a/', target },
    },
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

  await etcd.kill()
  await untilMirror({ Ready: 'True/Published', SourceConnected: 'False/Unavailable' })
  await etcd.restart()
  await untilMirror({ Ready: 'True/Published', SourceConnected: 'True/Connected' })

  await api.kill()
  await put('four')
  await api.restart()
  await untilValue('four')
  await untilMirror({ Ready: 'True/Published', SourceConnected: 'True/Connected', Degraded: 'False/AsExpected' })
})
