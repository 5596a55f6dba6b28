import { EtcdClient, type EtcdClientDependencies } from '../../src/etcd/etcd-client.ts'
import { type EtcdOptions, etcdConfSchema, resolveEtcdOptions } from '../../src/etcd/options.ts'

/** The options of an etcd.conf that names these endpoints alone, with some of them replaced. */
export function etcdOptions(endpoints: readonly string[], overrides: Partial<EtcdOptions> = {}): EtcdOptions {
  const { options } = resolveEtcdOptions(etcdConfSchema.parse({ endpoints }))
  if (options === undefined) throw new Error('the endpoints of the test are wrong')
  return { ...options, ...overrides }
}

export interface TestClientOptions extends Partial<EtcdOptions>, EtcdClientDependencies {}

/** A client that is closed when it is disposed of. */
export async function openClient(
  endpoints: string | readonly string[],
  { clock, metrics, createTimeoutMs, ...overrides }: TestClientOptions = {},
): Promise<EtcdClient & Disposable> {
  const client = await EtcdClient.open(etcdOptions([endpoints].flat(), overrides), {
    ...(clock && { clock }),
    ...(metrics && { metrics }),
    ...(createTimeoutMs !== undefined && { createTimeoutMs }),
  })
  return Object.assign(client, { [Symbol.dispose]: () => client.close() })
}
