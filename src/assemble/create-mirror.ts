import type { MirrorConfig } from '../config/process-config.ts'
import { targetPlace } from '../config/target-options.ts'
import type { EtcdOptions } from '../etcd/options.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { Mirror } from '../mirror/mirror.ts'
import type { Seed } from '../mirror/mirror-options.ts'
import { seedSource } from '../targets/files/seed-source.ts'
import type { HookContext } from '../targets/hooks/hook-context.ts'
import type { RenderPool } from '../targets/render/render-pool.ts'
import type { AllowedKind } from '../util/allowed-kind.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import { createSink } from './create-sink.ts'
import type { KubeAccess } from './kube-access.ts'

export interface MirrorContext {
  /** Of the program. */
  readonly version: string
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
  readonly kube: Pick<KubeAccess, 'connect'>
  /** What the target `objects` may write. */
  readonly allowKinds: readonly AllowedKind[]
  /** Where templates of objects are rendered. */
  readonly renderPool: RenderPool
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
  context: MirrorContext,
  { etcd, rpc, beat, onOpened }: MirrorWiring,
): Mirror {
  const { name, prefix, maxStalenessMs, verifyEveryMs, keys, limits, safety } = config
  const { clock, logger, metrics } = context
  const onHookResult: HookContext['onResult'] = (hook, failure) => mirror.hookResult(hook, failure)
  const mirror: Mirror = new Mirror({
    name,
    prefix,
    target: targetPlace(config.target),
    maxStalenessMs,
    verifyEveryMs,
    keys,
    limits,
    safety,
    seed: seedOf(config),
    resyncAfterReconnect: etcd.resyncAfterReconnect,
    rpc,
    sink: createSink(config, { ...context, onHookResult }),
    clock,
    logger,
    metrics,
    beat,
    onOpened,
  })
  return mirror
}

function seedOf({ target, prefix, limits }: MirrorConfig): Seed | undefined {
  if (!('files' in target)) return undefined
  const { seedFrom, seedAfterMs } = target.files.startup
  return seedFrom === '' ? undefined : { afterMs: seedAfterMs, open: () => seedSource(seedFrom, prefix, limits) }
}
