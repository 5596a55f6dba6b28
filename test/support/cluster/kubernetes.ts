import { generateKeyPairSync } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { eventually } from '../wait.ts'
import { importImage } from './images.ts'
import type { Machine } from './machine.ts'

/** Of the machine, towards its pods. */
export const HOST = '10.244.0.1'
const PODS = '10.244.0.0/24'
const TOKEN = 'rig'
/** As root of a machine whose control groups are nobody else's. */
const SOCKET = 'unix:///run/containerd/containerd.sock'
const KUBECONFIG = '/data/kubernetes/kubeconfig'
const SLOWLY = { timeoutMs: 120_000, intervalMs: 250 }

/** A whole Kubernetes with one node, on a machine of its own; ends with the machine. Resolves once the node is ready. */
export async function startKubernetes(machine: Machine, archives: readonly string[]): Promise<void> {
  await writeFiles(machine)
  machine.serve(etcd())
  machine.serve(apiServer())
  machine.serve(['containerd', '--config', '/data/kubernetes/containerd.toml'])
  await eventually(() => machine.exec(['ctr', 'version']), SLOWLY)
  for (const archive of archives) await importImage(machine, archive)
  await eventually(() => machine.exec(['kubectl', 'get', '--raw', '/readyz']), SLOWLY)
  for (const command of [controllerManager(), scheduler(), proxy(), kubelet()]) machine.serve(command)
  await eventually(async () => {
    const nodes = await machine.exec(['kubectl', 'get', 'nodes', '--no-headers'])
    if (!/ Ready /.test(nodes)) throw new Error(`The node is not ready: ${nodes}\n${machine.output}`)
    await machine.exec(['kubectl', 'get', 'serviceaccount', 'default'])
  }, SLOWLY)
}

/** Kills the kubelet and starts it again; resolves once the node is ready. Containers go on meanwhile. */
export async function restartKubelet(machine: Machine): Promise<void> {
  await machine.exec(['pkill', '-KILL', '-x', 'kubelet'])
  await machine.exec(['kubectl', 'delete', 'lease', '-n', 'kube-node-lease', '127.0.0.1'])
  machine.serve(kubelet())
  await eventually(async () => {
    const found = await machine.exec(['kubectl', 'get', 'lease', '-n', 'kube-node-lease', '127.0.0.1', '--no-headers'])
    const nodes = await machine.exec(['kubectl', 'get', 'nodes', '--no-headers'])
    if (!/ Ready /.test(nodes)) throw new Error(`The node is not ready: ${found}${nodes}`)
  }, SLOWLY)
}

async function writeFiles(machine: Machine): Promise<void> {
  const directory = join(machine.data, 'kubernetes')
  await mkdir(directory, { recursive: true })
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const files: Readonly<Record<string, string>> = {
    'sa.key': privateKey.export({ type: 'pkcs1', format: 'pem' }).toString(),
    'tokens.csv': `${TOKEN},admin,admin,"system:masters"\n`,
    kubeconfig: JSON.stringify(kubeconfig()),
    'containerd.toml': CONTAINERD,
    'kubelet.yaml': JSON.stringify(KUBELET),
  }
  for (const [name, content] of Object.entries(files)) await writeFile(join(directory, name), content)
  await machine.exec(['bash', '-c', 'cat > /etc/cni/net.d/10-pods.conflist'], { input: JSON.stringify(NETWORK) })
}

function kubeconfig() {
  const cluster = { server: `https://${HOST}:6443`, 'insecure-skip-tls-verify': true }
  return {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'rig', cluster }],
    users: [{ name: 'admin', user: { token: TOKEN } }],
    contexts: [{ name: 'rig', context: { cluster: 'rig', user: 'admin' } }],
    'current-context': 'rig',
  }
}

function etcd(): readonly string[] {
  const [client, peer] = ['http://127.0.0.1:2379', 'http://127.0.0.1:2380']
  return [
    ...['etcd', '--data-dir', '/data/kubernetes/etcd', '--unsafe-no-fsync', '--log-level', 'error'],
    ...['--listen-client-urls', client, '--advertise-client-urls', client, '--listen-peer-urls', peer],
    ...['--initial-advertise-peer-urls', peer, '--initial-cluster', `default=${peer}`],
  ]
}

function apiServer(): readonly string[] {
  return [
    ...['kube-apiserver', '--etcd-servers=http://127.0.0.1:2379', '--cert-dir=/data/kubernetes/certs'],
    ...['--secure-port=6443', `--bind-address=${HOST}`, `--advertise-address=${HOST}`],
    ...['--service-account-issuer=https://kubernetes.default.svc', '--service-cluster-ip-range=10.96.0.0/24'],
    ...['--service-account-key-file=/data/kubernetes/sa.key'],
    ...['--service-account-signing-key-file=/data/kubernetes/sa.key'],
    ...['--authorization-mode=Node,RBAC', '--token-auth-file=/data/kubernetes/tokens.csv'],
    '--enable-aggregator-routing=true',
  ]
}

function controllerManager(): readonly string[] {
  return [
    ...['kube-controller-manager', '--kubeconfig', KUBECONFIG, '--leader-elect=false', '--secure-port=0'],
    ...['--service-account-private-key-file=/data/kubernetes/sa.key', '--controllers=*,-node-ipam-controller'],
    '--root-ca-file=/data/kubernetes/certs/apiserver.crt',
  ]
}

function scheduler(): readonly string[] {
  return ['kube-scheduler', '--kubeconfig', KUBECONFIG, '--leader-elect=false', '--secure-port=0']
}

function proxy(): readonly string[] {
  return [
    ...['kube-proxy', '--kubeconfig', KUBECONFIG, '--proxy-mode=nftables', `--cluster-cidr=${PODS}`],
    ...['--conntrack-max-per-core=0', '--conntrack-tcp-timeout-established=0', '--conntrack-tcp-timeout-close-wait=0'],
    '--hostname-override=127.0.0.1',
  ]
}

function kubelet(): readonly string[] {
  return [
    ...['kubelet', '--config', '/data/kubernetes/kubelet.yaml', '--kubeconfig', KUBECONFIG],
    ...['--root-dir', '/data/kubelet', '--hostname-override', '127.0.0.1'],
  ]
}

const CONTAINERD = `version = 2
root = "/data/containerd"
state = "/run/containerd"
[grpc]
  address = "/run/containerd/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/pause:1"
  # Without CAP_SYS_RESOURCE no sandbox could be made otherwise.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "overlayfs"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "/etc/cni/net.d"
`

const KUBELET = {
  apiVersion: 'kubelet.config.k8s.io/v1beta1',
  kind: 'KubeletConfiguration',
  failCgroupV1: false,
  failSwapOn: false,
  cgroupDriver: 'cgroupfs',
  cgroupsPerQOS: false,
  enforceNodeAllocatable: [],
  localStorageCapacityIsolation: false,
  // How soon a pod sees a changed ConfigMap.
  syncFrequency: '2s',
  resolvConf: '',
  containerRuntimeEndpoint: SOCKET,
  authentication: { anonymous: { enabled: true }, webhook: { enabled: false } },
  authorization: { mode: 'AlwaysAllow' },
}

const NETWORK = {
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'cni0',
      isGateway: true,
      hairpinMode: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: PODS, gateway: HOST }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
}
