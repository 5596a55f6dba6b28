import { expect, test } from 'vitest'
import { CONFIG_MAPS } from '../../../src/kube/kube-resource.ts'
import { CLUSTER_ETCD_CONNECTIONS, ETCD_CONNECTIONS, ETCD_MIRRORS } from '../../../src/operator/operator-resources.ts'
import { enableAuth } from '../../support/etcd-auth.ts'
import { startEtcd } from '../../support/etcd-server.ts'
import { startKubeApi } from '../../support/kube-api.ts'
import { conditionsOf, OPERATOR_NAMESPACE, OPERATOR_USER, OperatorRig } from '../../support/operator-rig.ts'

const apiVersion = 'etcdmirror.dev/v1alpha1'
/** Four watches each: requests must not wait for them. */
const MANY = 12

/** What is read by name needs no rights for others of its kind. */
const readNamed = (resource: string, resourceNames: readonly string[]) => [
  { apiGroups: [''], resources: [resource], resourceNames, verbs: ['list', 'watch'] },
]
const readSecret = (name: string) => readNamed('secrets', [name])
const login = (namespace: string, name: string, password: string) => ({
  apiVersion: 'v1',
  kind: 'Secret',
  metadata: { name, namespace },
  stringData: { username: 'app', password },
})

test('--namespaces: with Roles in these namespaces alone, for the named Secrets alone; what belongs to the cluster can come later', async () => {
  await using etcd = await startEtcd({ version: '3.6' })
  await enableAuth(etcd, { user: 'app', password: 'right', role: 'reader', prefix: '/a/' })
  await etcd.etcdctl(['put', '/a/key', 'value'], { env: { ETCDCTL_USER: 'root:root-password' } })
  await using api = await startKubeApi({ users: [OPERATOR_USER] })
  await using rig = await OperatorRig.make(api)
  const namespaces = await Promise.all(Array.from({ length: MANY }, () => rig.namespace({ team: 'web' })))
  const [first = '', second = '', last = ''] = [namespaces[0], namespaces[1], namespaces.at(-1)]
  const connection = (namespace: string, secret: string) => ({
    apiVersion,
    kind: 'EtcdConnection',
    metadata: { name: 'main', namespace },
    spec: { endpoints: [etcd.endpoint], insecureTransport: true, auth: { secretRef: { name: secret } } },
  })
  const mirror = (namespace: string, name: string, connectionRef: object) => ({
    apiVersion,
    kind: 'EtcdMirror',
    metadata: { name, namespace },
    spec: { connectionRef, prefix: '/a/', target: { configMap: { name } } },
  })
  const untilReady = (namespace: string, name: string, expected: string) =>
    rig.until(ETCD_MIRRORS, namespace, name, (object) => expect(conditionsOf(object).Ready).toBe(expected))
  const untilConnection = (namespace: string, expected: Readonly<Record<string, string>>) =>
    rig.until(ETCD_CONNECTIONS, namespace, 'main', (object) => expect(conditionsOf(object)).toMatchObject(expected))

  await rig.grant({ without: ['secrets'], namespaces: namespaces.slice(0, -1), cluster: false })
  await rig.grantIn(first, 'login', readSecret('login'))
  await rig.grantIn(OPERATOR_NAMESPACE, 'shared-login', readSecret('shared-login'))
  await rig.apply([
    ...[first, second, last].map((namespace) => login(namespace, 'login', 'wrong')),
    login(OPERATOR_NAMESPACE, 'shared-login', 'right'),
    ...[first, second, last].map((namespace) => connection(namespace, 'login')),
    ...namespaces.map((namespace) => mirror(namespace, 'own', { name: 'main' })),
    mirror(first, 'shared', { kind: 'ClusterEtcdConnection', name: 'shared' }),
    {
      apiVersion,
      kind: 'ClusterEtcdConnection',
      metadata: { name: 'shared' },
      spec: {
        ...connection('', 'shared-login').spec,
        allow: [{ namespaceSelector: { matchLabels: { team: 'web' } }, prefixes: ['/a/'] }],
      },
    },
  ])
  await rig.operator(['--namespaces', namespaces.join(',')])

  // Every namespace but the one without a Role is served, and a Secret counts as soon as it is another one.
  await untilConnection(first, { Ready: 'False/AuthenticationFailed' })
  await rig.apply([login(first, 'login', 'right')])
  await untilReady(first, 'own', 'True/Published')
  expect((await rig.get(CONFIG_MAPS, first, 'own'))?.data).toEqual({ key: 'value' })
  for (const namespace of namespaces.slice(2, -1)) await untilReady(namespace, 'own', 'False/ConnectionNotFound')
  expect(conditionsOf(await rig.get(ETCD_MIRRORS, last, 'own'))).toEqual({})

  // What may not be read is told.
  await untilConnection(second, { Ready: 'False/SecretForbidden', Stalled: 'True/SecretForbidden' })
  await untilReady(second, 'own', 'False/ConnectionNotReady')
  await untilReady(first, 'shared', 'False/ConnectionForbidden')

  // With the rights the rest comes, without a restart.
  await rig.grant({ without: ['secrets', 'namespaces'], namespaces })
  await rig.grantInCluster('namespaces', readNamed('namespaces', namespaces))
  await rig.grantIn(second, 'login', readSecret('login'))
  await untilReady(first, 'shared', 'True/Published')
  await rig.until(CLUSTER_ETCD_CONNECTIONS, undefined, 'shared', (object) =>
    expect(conditionsOf(object).Ready).toBe('True/Connected'),
  )
  await untilConnection(second, { Ready: 'False/AuthenticationFailed' })
  await untilReady(last, 'own', 'False/ConnectionNotReady')
})
