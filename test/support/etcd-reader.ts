import type { EtcdEndpoint } from './etcd-server.ts'
import type { EtcdctlOptions } from './etcdctl.ts'
import type { Entries } from './oracle.ts'

interface RangeJson {
  readonly kvs?: readonly { readonly key: string; readonly value?: string }[]
}

/** What etcd itself says stands under the prefix, at a revision (default: now); by etcdctl, not by our own client. */
export async function readEtcd(
  etcd: EtcdEndpoint,
  prefix: string,
  { revision, env }: { readonly revision?: number } & EtcdctlOptions = {},
): Promise<Entries> {
  const at = revision === undefined ? [] : [`--rev=${revision}`]
  const output = await etcd.etcdctl(['get', '--prefix', prefix, ...at, '-w', 'json'], env ? { env } : {})
  const { kvs = [] } = JSON.parse(output) as RangeJson
  return new Map(
    kvs.map(({ key, value }) => [
      Buffer.from(key, 'base64').toString('latin1'),
      value === undefined ? Buffer.alloc(0) : Buffer.from(value, 'base64'),
    ]),
  )
}
