import type { MirrorConfig } from '../config/process-config.ts'
import { targetKind } from '../config/target-options.ts'
import type { Sink } from '../mirror/sink.ts'
import { createFileSink } from '../targets/files/file-sink.ts'
import { FileSystem } from '../targets/files/file-system.ts'
import { layoutOf } from '../targets/files/layout.ts'
import type { HookContext } from '../targets/hooks/hook-context.ts'
import { HookSet } from '../targets/hooks/hook-set.ts'
import { renderingOf } from '../targets/render/rendering.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'

export interface SinkContext {
  /** Of the program. */
  readonly version: string
  readonly logger: Logger
  readonly clock: Clock
  readonly metrics: Metrics
  /** See `HookContext`. */
  readonly onHookResult: HookContext['onResult']
}

/** Makes what writes the target of a mirror. Throws for a target that reading the configuration should have refused. */
export function createSink({ name, prefix, configHash, target }: MirrorConfig, context: SinkContext): Sink {
  if (!('files' in target)) throw new Error(`Cannot write target ${targetKind(target)}: not supported`)
  const { version, logger, clock, metrics, onHookResult: onResult } = context
  const { files: options } = target
  const projection = renderingOf(options.render, prefix)
  const { root, hooks: directory } = layoutOf(options.root)
  const shared = { files: new FileSystem(), logger, clock }
  const hooks = new HookSet(options.hooks, { ...shared, mirror: name, root, directory, metrics, onResult })
  return createFileSink({ ...shared, options, mirrorName: name, prefix, configHash, projection, hooks, version })
}
