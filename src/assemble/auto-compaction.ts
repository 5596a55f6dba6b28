import type { CompactionStatus } from '../compactor/compaction-status.ts'
import { Compactor, type CompactorOptions } from '../compactor/compactor.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { untilAborted } from '../util/until-aborted.ts'

interface Running {
  readonly compactor: Compactor
  readonly stop: AbortController
}

/** The periodic compaction of a process: it begins, changes and ends with its configuration. */
export class AutoCompaction {
  readonly #options: Omit<CompactorOptions, 'rpc' | 'periodMs'>
  #rpc: EtcdRpc | undefined
  #running: Running | undefined
  #signal: AbortSignal | undefined
  readonly #done = new Set<Promise<void>>()

  constructor(options: Omit<CompactorOptions, 'rpc' | 'periodMs'>) {
    this.#options = options
  }

  /** undefined = it is off. */
  status(): CompactionStatus | undefined {
    return this.#running?.compactor.status()
  }

  /** `rpc` undefined = the connection stays. `periodMs` 0 = off. The same connection keeps what is known of the store. */
  use(rpc: EtcdRpc | undefined, periodMs: number): void {
    const isSameStore = rpc === undefined
    this.#rpc = rpc ?? this.#rpc
    if (this.#running !== undefined && isSameStore && periodMs > 0) {
      this.#running.compactor.setPeriod(periodMs)
      return
    }
    this.#running?.stop.abort()
    this.#running = undefined
    if (periodMs === 0 || this.#rpc === undefined) return
    const compactor = new Compactor({ ...this.#options, rpc: this.#rpc, periodMs })
    this.#running = { compactor, stop: new AbortController() }
    this.#start(this.#running)
  }

  /** Runs until the signal aborts and nothing of it is under way. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal
    if (this.#running !== undefined) this.#start(this.#running)
    await untilAborted(signal)
    await Promise.all(this.#done)
  }

  #start({ compactor, stop }: Running): void {
    if (this.#signal === undefined) return
    this.#options.logger.warn(
      { period: compactor.status().periodMs / 1000 },
      'auto-compact is on in a sidecar: it compacts the whole etcd for everybody; one operator is its right place',
    )
    const done = compactor.run(AbortSignal.any([this.#signal, stop.signal]))
    this.#done.add(done)
    void done.finally(() => this.#done.delete(done))
  }
}
