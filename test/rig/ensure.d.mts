/** The programs of one etcd version; `etcdutl` exists from 3.5 on. */
export interface EtcdPrograms {
  readonly version: string
  readonly etcd: string
  readonly etcdctl: string
  readonly etcdutl: string
}

/** The programs of one Kubernetes version. `kubectl` and `kube-controller-manager` are there in the newest only. */
export interface KubernetesPrograms {
  readonly version: string
  readonly directory: string
}

export function ensureKubernetes(minor: '1.34' | '1.37', log?: (line: string) => void): Promise<KubernetesPrograms>

/** A directory with kubelet, kube-scheduler and kube-proxy of the newest version. */
export function ensureKubernetesNode(log?: (line: string) => void): Promise<string>

/** A directory with a system of Debian packages. */
export function ensureRoot(
  name: 'machine' | 'node-image' | 'nginx' | 'busybox',
  log?: (line: string) => void,
): Promise<string>
export function ensureCluster(log?: (line: string) => void): Promise<void>

/** The etcd releases that the tests know, one patch version each. */
export type EtcdSeries = '3.4' | '3.5' | '3.6' | '3.7'

/** Path of the program. */
export function ensureNginx(log?: (line: string) => void): Promise<string>

/** Path of the program. */
export function ensureHelm(log?: (line: string) => void): Promise<string>

export function ensureEtcd(series: EtcdSeries, log?: (line: string) => void): Promise<EtcdPrograms>
export function ensureServers(log?: (line: string) => void): Promise<EtcdPrograms[]>
