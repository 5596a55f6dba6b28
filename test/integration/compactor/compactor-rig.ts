import { Compactor } from '../../../src/compactor/compactor.ts'
import { EtcdClient } from '../../../src/etcd/etcd-client.ts'
import { etcdConfSchema, resolveEtcdOptions } from '../../../src/etcd/options.ts'
import type { EtcdRpc } from '../../../src/etcd/rpc.ts'
import type { Logger } from '../../../src/util/logger.ts'
import type { Metrics } from '../../../src/util/metrics.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { eventually } from '../../support/wait.ts'

export const HOUR_MS = 3_600_000

export interface ReplicaOptions {
  readonly endpoint: string
  readonly conf?: Readonly<Record<string, unknown>>
  readonly periodMs?: number
  readonly oldestNeeded?: () => number | undefined
  /** Stands between the compactor and etcd. */
  readonly between?: (rpc: EtcdRpc) => EtcdRpc
}

/** One process that runs `auto-compact`, with a clock of its own. Disposing of it ends it as SIGKILL would. */
export class Replica implements AsyncDisposable {
  readonly clock = new ManualClock()
  readonly compactor: Compactor
  readonly logs: string[] = []
  readonly results: string[] = []
  readonly #client: EtcdClient
  readonly #stop = new AbortController()
  readonly #running: Promise<void>

  static async start(options: ReplicaOptions): Promise<Replica> {
    const conf = { endpoints: [options.endpoint], ...options.conf }
    const resolved = resolveEtcdOptions(etcdConfSchema.parse(conf))
    if (resolved.options === undefined) throw new Error('Cannot use the options of this test')
    const replica = new Replica(await EtcdClient.open(resolved.options), options)
    await replica.idle()
    return replica
  }

  private constructor(client: EtcdClient, options: ReplicaOptions) {
    const { periodMs = HOUR_MS, oldestNeeded = () => undefined, between = (rpc) => rpc } = options
    this.#client = client
    const log = (_fields: unknown, message: string) => void this.logs.push(message)
    const logger: Logger = { debug: () => {}, info: log, warn: log, error: log }
    const metrics: Metrics = {
      add: (name, labels) => {
        if (name === 'etcd_mirror_compactions_total') this.results.push((labels as { result: string }).result)
      },
      set() {},
      observe() {},
    }
    this.compactor = new Compactor({ rpc: between(client), periodMs, oldestNeeded, clock: this.clock, logger, metrics })
    this.#running = this.compactor.run(this.#stop.signal)
  }

  /** Resolves once it waits for its clock. */
  async idle(): Promise<void> {
    await eventually(() => {
      if (this.clock.sleepers === 0) throw new Error(`It does not wait: ${JSON.stringify(this.compactor.status())}`)
    })
  }

  /** Lets time pass and resolves once it waits again. */
  async pass(ms: number): Promise<void> {
    this.clock.advance(ms)
    // What was woken has to leave the clock before "waits again" means anything.
    await new Promise((resolve) => setImmediate(resolve))
    await this.idle()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#running
    this.#client.close()
  }
}
