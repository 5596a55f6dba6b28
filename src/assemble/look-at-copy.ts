import type { MirrorConfig } from '../config/process-config.ts'
import { targetPlace } from '../config/target-options.ts'
import type { KeyValue } from '../etcd/key-value.ts'
import type { Position } from '../replication/position.ts'
import { type CopyComparison, compareCopy } from '../targets/files/compare-copy.ts'
import type { FilesTargetOptions } from '../targets/files/options.ts'
import { lookAtPublishedCopy, type PublishedCopy } from '../targets/files/published-copy.ts'
import { toTargetError } from '../targets/objects/kube-fault.ts'
import type { LookOptions, StandingObjects } from '../targets/objects/standing-objects.ts'
import { RenderPool } from '../targets/render/render-pool.ts'
import type { AllowedKind } from '../util/allowed-kind.ts'
import { systemClock } from '../util/clock.ts'
import { filesProjection, type JudgeFile } from './files-projection.ts'
import type { CopyFacts } from './guard-check.ts'
import type { KubeAccess } from './kube-access.ts'

/** A state that a copy is compared with. */
export interface ComparedState {
  /** All keys that belong to the copy. What it throws is rethrown. */
  readonly pages: AsyncIterable<readonly KeyValue[]>
  readonly position: Position
  /** Keep what should stand in each differing path of a tree. */
  readonly keepBytes: boolean
  /** What becomes of files that `validate` refuses. */
  readonly judged: JudgeFile
  readonly signal: AbortSignal
}

/** What stands in a target, looked at once. */
export interface CopyLook {
  /** undefined = nothing is published. */
  readonly copy: CopyFacts | undefined
  /** The same, as files. */
  readonly tree: PublishedCopy | undefined
  /** Throws `GuardError` when the copy cannot be made, `SinkError` when it cannot be read, and what the pages throw. */
  compare(state: ComparedState): Promise<CopyComparison>
  /** Whether what stands there is still that. */
  isSame(): Promise<boolean>
}

export interface LookContext {
  readonly kube: Pick<KubeAccess, 'connect'>
  /** What the target `objects` may write. */
  readonly allowKinds: readonly AllowedKind[]
  readonly signal: AbortSignal
}

/** Looks at what a mirror has published; takes no lock and no Lease. Throws `SinkError` when that is not its own or cannot be read. */
export async function lookAtCopy(mirror: MirrorConfig, context: LookContext): Promise<CopyLook> {
  const { target } = mirror
  if ('files' in target) return lookAtFiles(mirror, target.files)
  const asTarget = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work()
    } catch (error) {
      throw toTargetError(error, targetPlace(target))
    }
  }
  const look = () => asTarget(() => lookAtObjects(mirror, context))
  const { copy, compare } = await look()
  return {
    copy,
    tree: undefined,
    compare: (state) => asTarget(() => compare(state)),
    isSame: async () => isSameCopy(copy, (await look()).copy),
  }
}

function lookAtFiles(mirror: MirrorConfig, target: FilesTargetOptions): CopyLook {
  const { name: mirrorName, configHash, prefix } = mirror
  const look = () => lookAtPublishedCopy({ root: target.root, layout: target.layout, mirrorName, configHash })
  const tree = look()
  return {
    copy: tree,
    tree,
    compare: async ({ judged, ...state }) => {
      const projection = await filesProjection(mirror, target, judged)
      return await compareCopy({ copy: tree, target, prefix, projection, ...state })
    },
    isSame: async () => {
      const now = look()
      return tree?.directory === now?.directory && isSameCopy(tree, now)
    },
  }
}

function isSameCopy(before: CopyFacts | undefined, after: CopyFacts | undefined): boolean {
  return before?.revision === after?.revision
}

/** What it needs is loaded when it is called: a mirror of files needs none of it. */
async function lookAtObjects(
  { name: mirrorName, prefix, configHash, target }: MirrorConfig,
  { kube, allowKinds, signal }: LookContext,
): Promise<StandingObjects> {
  const client = await kube.connect()
  const options: LookOptions = { client, namespace: client.namespace, mirrorName, prefix, configHash, signal }
  if ('configMap' in target || 'secret' in target) {
    const { lookAtDataObject } = await import('../targets/objects/look-at-data-object.ts')
    return 'configMap' in target
      ? await lookAtDataObject({ kind: 'ConfigMap', options: target.configMap }, options)
      : await lookAtDataObject({ kind: 'Secret', options: target.secret }, options)
  }
  const { lookAtManyObjects } = await import('../targets/objects/look-at-many-objects.ts')
  const prefixLength = prefix.length
  if ('etcdKeys' in target) {
    const { EtcdKeyProjection } = await import('../targets/objects/etcd-key-projection.ts')
    return await lookAtManyObjects(new EtcdKeyProjection(mirrorName, prefixLength), options)
  }
  if (!('objects' in target)) throw new Error('the target is none of objects')
  const { TemplateProjection } = await import('../targets/objects/template-projection.ts')
  // Its processes end with this one.
  const renderPool = new RenderPool({ clock: systemClock })
  const projection = { options: target.objects, mirror: mirrorName, prefixLength, allowKinds, renderPool }
  return await lookAtManyObjects(new TemplateProjection(projection), options)
}
