import type { MirrorConfig } from '../config/process-config.ts'
import { targetKind } from '../config/target-options.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import type { OwnerReference } from '../kube/kube-object.ts'
import type { Hold } from '../kube/lease.ts'
import type { Sink } from '../mirror/sink.ts'
import { DataObjectSink } from '../targets/objects/data-object-sink.ts'
import { EtcdKeyProjection } from '../targets/objects/etcd-key-projection.ts'
import { ManyObjectsSink } from '../targets/objects/many-objects-sink.ts'
import type { ObjectSinkOptions } from '../targets/objects/target-session.ts'
import { TemplateProjection } from '../targets/objects/template-projection.ts'
import type { RenderPool } from '../targets/render/render-pool.ts'
import type { AllowedKind } from '../util/allowed-kind.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import type { Metrics } from '../util/metrics.ts'
import { labelLogger, labelMetrics } from './mirror-label.ts'
import { mirrorStays } from './mirror-stays.ts'
import type { SharedWatches } from './shared-watches.ts'

/** What a sink of the operator is made for. */
export interface SinkRequest {
  readonly config: MirrorConfig
  readonly namespace: string
  /** What the objects go with. */
  readonly owner: OwnerReference
}

export interface OperatorSinkContext {
  readonly client: KubeClient
  /** The leadership. */
  readonly hold: Hold
  readonly watches: SharedWatches
  /** Where what tenants have rendered is rendered, namespace by namespace. */
  readonly renderPool: RenderPool
  /** What the target `objects` may write. */
  readonly allowKinds: readonly AllowedKind[]
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/**
 * What writes the target of one EtcdMirror: without a Lease of its own, because the leader alone runs mirrors. Throws for a
 * target that is no object.
 */
export function operatorSink({ config, namespace, owner }: SinkRequest, context: OperatorSinkContext): Sink {
  const { client, hold, watches, renderPool, clock } = context
  const { name, prefix, configHash, target } = config
  const label = `${namespace}/${name}`
  const options: ObjectSinkOptions = {
    connect: async () => client,
    mirrorName: name,
    prefix,
    configHash,
    namespace,
    owner,
    ownerStays: (signal) => mirrorStays(client, namespace, owner, signal),
    hold,
    rendering: { renderPool, tenant: namespace },
    follow: (query, observer, signal) => watches.follow(query, name, observer, signal),
    clock,
    logger: labelLogger(context.logger, label),
    metrics: labelMetrics(context.metrics, label),
  }
  if ('configMap' in target) {
    return new DataObjectSink({ ...options, target: { kind: 'ConfigMap', options: target.configMap } })
  }
  if ('secret' in target) return new DataObjectSink({ ...options, target: { kind: 'Secret', options: target.secret } })
  if ('etcdKeys' in target) {
    const { deletionPolicy } = target.etcdKeys
    const projection = new EtcdKeyProjection(name, prefix.length)
    return new ManyObjectsSink({ ...options, target: 'EtcdKeys', deletionPolicy, projection })
  }
  if ('objects' in target) {
    const { deletionPolicy } = target.objects
    const parts = { options: target.objects, mirror: name, prefixLength: prefix.length }
    const projection = new TemplateProjection({ ...parts, allowKinds: context.allowKinds, renderPool })
    return new ManyObjectsSink({ ...options, target: 'objects', deletionPolicy, projection })
  }
  throw new Error(`Cannot write target ${targetKind(target)}: not supported`)
}
