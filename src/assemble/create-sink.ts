import type { MirrorConfig } from '../config/process-config.ts'
import { targetKind } from '../config/target-options.ts'
import type { Sink } from '../mirror/sink.ts'
import { createFileSink } from '../targets/files/file-sink.ts'
import { renderingOf } from '../targets/render/rendering.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'

/** Makes what writes the target of a mirror. Throws for a target that reading the configuration should have refused. */
export function createSink(
  { name, prefix, configHash, target }: MirrorConfig,
  { version, logger, clock }: { readonly version: string; readonly logger: Logger; readonly clock: Clock },
): Sink {
  if (!('files' in target)) throw new Error(`Cannot write target ${targetKind(target)}: not supported`)
  const { files } = target
  const projection = renderingOf(files.render, prefix)
  return createFileSink({ options: files, mirrorName: name, prefix, configHash, projection, version, logger, clock })
}
