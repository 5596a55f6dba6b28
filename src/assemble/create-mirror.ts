import type { MirrorConfig } from '../config/process-config.ts'
import type { EtcdOptions } from '../etcd/options.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { Mirror } from '../mirror/mirror.ts'
import { createFileSink } from '../targets/files/file-sink.ts'
import { seedSource } from '../targets/files/seed-source.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'

export interface MirrorContext {
  /** Of the program. */
  readonly version: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

export interface MirrorWiring {
  readonly etcd: EtcdOptions
  readonly rpc: EtcdRpc
  readonly beat: () => void
  readonly onOpened: () => void
}

/** A mirror and its target, made of its configuration; it does nothing until it runs. */
export function createMirror(
  config: MirrorConfig,
  { version, clock, logger, metrics }: MirrorContext,
  { etcd, rpc, beat, onOpened }: MirrorWiring,
): Mirror {
  const { name, prefix, maxStalenessMs, verifyEveryMs, keys, limits, safety, configHash } = config
  const { files } = config.target
  const { seedFrom, seedAfterMs } = files.startup
  return new Mirror({
    name,
    prefix,
    target: files.root,
    maxStalenessMs,
    verifyEveryMs,
    keys,
    limits,
    safety,
    seed: seedFrom === '' ? undefined : { afterMs: seedAfterMs, open: () => seedSource(seedFrom, prefix, limits) },
    resyncAfterReconnect: etcd.resyncAfterReconnect,
    rpc,
    sink: createFileSink({ options: files, mirrorName: name, prefix, configHash, version, logger, clock }),
    clock,
    logger,
    metrics,
    beat,
    onOpened,
  })
}
