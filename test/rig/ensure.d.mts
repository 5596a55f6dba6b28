/** The programs of one etcd version; `etcdutl` exists from 3.5 on. */
export interface EtcdPrograms {
  readonly version: string
  readonly etcd: string
  readonly etcdctl: string
  readonly etcdutl: string
}

export function ensureEtcd(series: '3.4' | '3.6', log?: (line: string) => void): Promise<EtcdPrograms>
export function ensureServers(log?: (line: string) => void): Promise<EtcdPrograms[]>
