import type { MirrorConfig } from '../config/process-config.ts'
import type { Sink } from '../mirror/sink.ts'
import { createFileSink } from '../targets/files/file-sink.ts'
import { FileSystem } from '../targets/files/file-system.ts'
import { layoutOf } from '../targets/files/layout.ts'
import type { FilesTargetOptions } from '../targets/files/options.ts'
import type { HookContext } from '../targets/hooks/hook-context.ts'
import { HookSet } from '../targets/hooks/hook-set.ts'
import type { DataObjectTarget } from '../targets/objects/data-object.ts'
import type { EtcdKeysTargetOptions, ObjectsTargetOptions } from '../targets/objects/options.ts'
import type { ObjectSinkOptions } from '../targets/objects/target-session.ts'
import type { RenderPool } from '../targets/render/render-pool.ts'
import { commandChecks } from '../targets/validate/command-checks.ts'
import type { AllowedKind } from '../util/allowed-kind.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import { filesProjection } from './files-projection.ts'
import type { KubeAccess } from './kube-access.ts'
import { lazySink } from './lazy-sink.ts'

export interface SinkContext {
  /** Of the program. */
  readonly version: string
  readonly logger: Logger
  readonly clock: Clock
  readonly metrics: Metrics
  readonly kube: Pick<KubeAccess, 'connect'>
  readonly allowKinds: readonly AllowedKind[]
  /** Where templates of objects are rendered. */
  readonly renderPool: RenderPool
  /** See `HookContext`. */
  readonly onHookResult: HookContext['onResult']
}

/** Makes what writes the target of a mirror. */
export function createSink(config: MirrorConfig, context: SinkContext): Sink {
  const { target } = config
  if ('files' in target) return fileSink(config, target.files, context)
  const options = objectSinkOptions(config, context)
  if ('configMap' in target) return dataObjectSink(options, { kind: 'ConfigMap', options: target.configMap })
  if ('secret' in target) return dataObjectSink(options, { kind: 'Secret', options: target.secret })
  if ('etcdKeys' in target) return etcdKeysSink(options, target.etcdKeys)
  return objectsSink(options, target.objects, context)
}

function fileSink(
  { name, prefix, configHash }: MirrorConfig,
  options: FilesTargetOptions,
  { version, logger, clock, metrics, onHookResult: onResult }: SinkContext,
): Sink {
  const { root, hooks: directory } = layoutOf(options.root)
  const shared = { files: new FileSystem(), logger, clock }
  const context = { ...shared, mirror: name, root, directory, metrics, onResult }
  const hooks = new HookSet(options.hooks, context, commandChecks(options.validate))
  return lazySink(async () => {
    const projection = await filesProjection({ prefix }, options)
    return createFileSink({ ...shared, options, mirrorName: name, prefix, configHash, projection, hooks, version })
  })
}

function objectSinkOptions({ name, prefix, configHash }: MirrorConfig, context: SinkContext): ObjectSinkOptions {
  const { logger, clock, metrics, kube } = context
  return { connect: () => kube.connect(), mirrorName: name, prefix, configHash, clock, logger, metrics }
}

function dataObjectSink(options: ObjectSinkOptions, target: DataObjectTarget): Sink {
  return lazySink(async () => {
    const { DataObjectSink } = await import('../targets/objects/data-object-sink.ts')
    return new DataObjectSink({ ...options, target })
  })
}

function etcdKeysSink(options: ObjectSinkOptions, { deletionPolicy }: EtcdKeysTargetOptions): Sink {
  return lazySink(async () => {
    const [{ ManyObjectsSink }, { EtcdKeyProjection }] = await Promise.all([
      import('../targets/objects/many-objects-sink.ts'),
      import('../targets/objects/etcd-key-projection.ts'),
    ])
    const projection = new EtcdKeyProjection(options.mirrorName, options.prefix.length)
    return new ManyObjectsSink({ ...options, target: 'EtcdKeys', deletionPolicy, projection })
  })
}

function objectsSink(
  sink: ObjectSinkOptions,
  options: ObjectsTargetOptions,
  { allowKinds, renderPool }: SinkContext,
): Sink {
  return lazySink(async () => {
    const [{ ManyObjectsSink }, { TemplateProjection }] = await Promise.all([
      import('../targets/objects/many-objects-sink.ts'),
      import('../targets/objects/template-projection.ts'),
    ])
    const { mirrorName: mirror, prefix } = sink
    const projection = new TemplateProjection({ options, mirror, prefixLength: prefix.length, allowKinds, renderPool })
    return new ManyObjectsSink({ ...sink, target: 'objects', deletionPolicy: options.deletionPolicy, projection })
  })
}
