import { afterAll, beforeAll } from 'vitest'
import { type EtcdServer, startEtcd } from './etcd-server.ts'
import { type KubeApi, type StartKubeApiOptions, startKubeApi } from './kube-api.ts'
import { KubeRig, type KubeRigOptions } from './kube-rig.ts'
import { SETTINGS_CRD, type TestTarget } from './kube-targets.ts'

/** Call it where tests are described: they share an etcd and an API server that knows `mirror` and every test target. */
export function useKube(options: StartKubeApiOptions = {}): KubeServers {
  const servers = new KubeServers()
  beforeAll(() => servers.start(options))
  afterAll(() => servers[Symbol.asyncDispose]())
  return servers
}

class KubeServers implements AsyncDisposable {
  #api: KubeApi | undefined
  #etcd: EtcdServer | undefined

  get api(): KubeApi {
    if (this.#api === undefined) throw new Error('kube-apiserver is not started yet')
    return this.#api
  }

  get etcd(): EtcdServer {
    if (this.#etcd === undefined) throw new Error('etcd is not started yet')
    return this.#etcd
  }

  async start(options: StartKubeApiOptions): Promise<void> {
    this.#etcd = await startEtcd({ version: '3.6' })
    this.#api = await startKubeApi({ users: ['mirror'], ...options })
    await this.#api.define([SETTINGS_CRD])
  }

  /** Mirrors into these targets. */
  async rig(
    targets: readonly TestTarget[],
    more: Omit<KubeRigOptions, 'api' | 'etcd' | 'targets'> = {},
  ): Promise<KubeRig> {
    return await KubeRig.make({ api: this.api, etcd: this.etcd, targets, ...more })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#etcd?.[Symbol.asyncDispose]()
    await this.#api?.[Symbol.asyncDispose]()
  }
}
