import type { ChartValues } from '../../support/helm.ts'

/** All that can be switched on. */
export const EVERYTHING: ChartValues = {
  replicas: 3,
  image: { repository: 'registry.example.com:5000/tools/etcd-mirror', digest: `sha256:${'0'.repeat(64)}` },
  imagePullSecrets: [{ name: 'registry' }],
  'targets.secret': true,
  'targets.objects': [
    { kind: 'example.com/v1/Thing', resource: 'things' },
    { kind: 'v1/Service', resource: 'services' },
  ],
  credentials: { enabled: true, secretNames: ['etcd-client'] },
  'serviceAccount.annotations': { 'example.com/role': 'reader' },
  podLabels: { team: 'platform' },
  podAnnotations: { 'example.com/note': 'any text' },
  nodeSelector: { 'kubernetes.io/os': 'linux' },
  tolerations: [{ key: 'tools', operator: 'Exists' }],
  affinity: { nodeAffinity: {} },
  priorityClassName: 'system-cluster-critical',
  'metrics.podMonitor.enabled': true,
  'metrics.serviceMonitor.enabled': true,
  'metrics.labels': { release: 'prometheus' },
  'networkPolicy.enabled': true,
  'networkPolicy.metricsFrom': [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }],
}

/** Two namespaces, and nothing of the cluster. */
export const SCOPED: ChartValues = {
  replicas: 1,
  namespaces: ['one', 'two'],
  'clusterConnections.enabled': false,
  aggregateRoles: false,
  'crds.install': false,
  'credentials.enabled': true,
}

/** What the chart would choose by itself, chosen otherwise. */
export const CHOSEN: ChartValues = {
  nameOverride: 'mirrors',
  fullnameOverride: 'copies-of-etcd',
  shutdownGrace: '1m30.5s',
  serviceAccount: { create: false, name: 'ready-made' },
  resources: { requests: { cpu: '1', memory: '1Gi' }, limits: { memory: '2Gi' }, claims: [] },
  topologySpreadConstraints: [
    { topologyKey: 'example.com/rack', maxSkew: 2, whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} },
  ],
  networkPolicy: {
    enabled: true,
    dnsPorts: [53],
    apiServerPorts: [6443],
    apiServerTo: [{ ipBlock: { cidr: '192.0.2.1/32' } }],
    etcdPorts: [2379, 4001],
    etcdTo: [{ namespaceSelector: { matchLabels: { name: 'etcd' } }, podSelector: { matchLabels: { app: 'etcd' } } }],
  },
}

/** All that can be switched off. */
export const NOTHING: ChartValues = {
  targets: { configMap: false, secret: false, etcdKeys: false, files: false, objects: [] },
  'clusterConnections.enabled': false,
  aggregateRoles: false,
  'crds.install': false,
}
