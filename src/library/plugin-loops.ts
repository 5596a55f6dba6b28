import { Compactor } from '../compactor/compactor.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import { noMetrics } from '../util/metrics.ts'
import type { ConnectionMonitor } from './connection-monitor.ts'

export interface PluginLoopsOptions {
  readonly monitor: ConnectionMonitor
  readonly rpc: EtcdRpc
  /** 0 = off. */
  readonly autoCompactMs: number
  readonly clock: Clock
  readonly logger: Logger
  readonly signal: AbortSignal
}

/** What a connected plugin does beside its callers: it watches its connection, and compacts etcd once a period. */
export class PluginLoops {
  /** Resolves after the signal aborted. */
  readonly done: Promise<unknown>

  constructor({ monitor, rpc, autoCompactMs: periodMs, clock, logger, signal }: PluginLoopsOptions) {
    const loops = [monitor.run(signal)]
    if (periodMs > 0) {
      const oldestNeeded = () => undefined
      const compactor = new Compactor({ rpc, periodMs, oldestNeeded, clock, logger, metrics: noMetrics })
      loops.push(compactor.run(signal))
    }
    this.done = Promise.all(loops)
  }
}
