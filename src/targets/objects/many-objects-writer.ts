import { KubeError } from '../../kube/kube-error.ts'
import type { KubeObject } from '../../kube/kube-object.ts'
import type { KubeResource } from '../../kube/kube-resource.ts'
import { SinkError } from '../../mirror/sink-error.ts'
import type { Position } from '../../replication/position.ts'
import { type KnownObject, type KnownObjects, liveOf } from './known-objects.ts'
import { ANNOTATIONS, ownerReferences, ownLabels } from './object-identity.ts'
import type { Refusal, SourcePlan } from './object-plan.ts'
import type { DesiredObject } from './object-projection.ts'
import type { ObjectWriter } from './object-writer.ts'
import { runPool } from './run-pool.ts'
import type { ObjectSinkOptions } from './target-session.ts'

const MAX_AT_ONCE = 16

export interface ManyObjectsWriterOptions {
  readonly sink: ObjectSinkOptions
  readonly deletionPolicy: 'Delete' | 'Retain'
  readonly namespace: string
  readonly known: KnownObjects
  readonly writer: ObjectWriter
  /** By source; kept up to date. */
  readonly refused: Map<string, Refusal>
}

/** Carries a plan out, many objects at once. One that is refused does not stop the others. */
export class ManyObjectsWriter {
  readonly #options: ManyObjectsWriterOptions

  constructor(options: ManyObjectsWriterOptions) {
    this.#options = options
  }

  /**
   * Resolves with how many were written and removed. Rejects when some could not be, after the others were: what is done
   * is remembered, and a further try does the rest.
   */
  async run(
    plans: ReadonlyMap<string, SourcePlan>,
    position: Position,
    signal: AbortSignal,
  ): Promise<{ readonly written: number; readonly removed: number }> {
    const counts = { written: 0, removed: 0 }
    let later: unknown
    await runPool(plans, MAX_AT_ONCE, async ([source, plan]) => {
      try {
        await this.#runOne(source, plan, position, counts, signal)
      } catch (error) {
        if (!(error instanceof SinkError) || !ALONE.has(error.code)) throw error
        later ??= error
      }
    })
    if (later !== undefined) throw later
    return counts
  }

  async #runOne(
    source: string,
    { key, writes, removals, reason }: SourcePlan,
    position: Position,
    counts: { written: number; removed: number },
    signal: AbortSignal,
  ): Promise<void> {
    const { refused } = this.#options
    if (reason === undefined) refused.delete(source)
    else refused.set(source, { key, reason })
    for (const desired of writes) {
      const { result, refusal } = await this.#write(source, desired, position, signal)
      if (refusal !== undefined) refused.set(source, { key, reason: refusal })
      else if (result === 'written') counts.written += 1
    }
    // What is there stays while what should take its place is refused.
    if (refused.has(source)) return
    for (const known of removals) {
      await this.#remove(known, signal)
      counts.removed += 1
    }
  }

  async #write(source: string, desired: DesiredObject, position: Position, signal: AbortSignal): Promise<Outcome> {
    const { known, writer, namespace } = this.#options
    const { resource, name } = desired
    const ref = { resource, namespace, name }
    const before = liveOf(known.get(resource, name))
    return await this.#tracked(resource, name, async () => {
      try {
        const live = await writer.write(ref, this.#manifest(source, desired, position), before, signal)
        return { live, result: isUntouched(before, live) ? 'unchanged' : 'written' }
      } catch (error) {
        if (error instanceof KubeError && REFUSALS.has(error.code)) return { refusal: error.message }
        throw error
      }
    })
  }

  async #remove({ resource, live }: KnownObject, signal: AbortSignal): Promise<void> {
    const { writer, namespace } = this.#options
    const { name } = live.metadata
    await this.#tracked(resource, name, async () => {
      const isThere = live.metadata.resourceVersion !== undefined
      if (isThere) await writer.delete({ resource, namespace, name }, live, signal)
      return { live: 'absent', result: 'deleted' }
    })
  }

  async #tracked(resource: KubeResource, name: string, work: () => Promise<Outcome>): Promise<Outcome> {
    const { known, sink } = this.#options
    known.writing(resource, name)
    try {
      const outcome = await work()
      if (outcome.refusal !== undefined) known.failed(resource, name)
      else {
        known.wrote(resource, name, outcome.live)
        sink.metrics.add('etcd_mirror_objects_total', { mirror: sink.mirrorName, result: outcome.result })
      }
      return outcome
    } catch (error) {
      known.failed(resource, name)
      throw error
    }
  }

  #manifest(source: string, { resource, name, manifest, hash }: DesiredObject, position: Position): KubeObject {
    const { sink, deletionPolicy, known } = this.#options
    const { metadata } = manifest
    const before = known.get(resource, name)
    const isEqual = before !== undefined && before.hash === hash && before.source === source
    const own = {
      [ANNOTATIONS.contentHash]: hash,
      [ANNOTATIONS.revision]: String(position.revision),
      [ANNOTATIONS.epoch]: String(position.epoch),
      [ANNOTATIONS.source]: source,
      // What is put right, or only looked at, still is of the revision that it was written for: equal is left untouched.
      ...(isEqual && before.live.metadata.annotations),
    }
    return {
      ...manifest,
      metadata: {
        ...metadata,
        labels: { ...metadata.labels, ...ownLabels(sink.mirrorName) },
        annotations: { ...metadata.annotations, ...own },
        ...ownerReferences(sink.owner, deletionPolicy),
      },
    }
  }
}

/** What stands there now, or why the API does not take it. */
type Outcome =
  | {
      readonly live: KubeObject | 'absent'
      readonly result: 'written' | 'unchanged' | 'deleted'
      readonly refusal?: undefined
    }
  | { readonly refusal: string; readonly live?: undefined; readonly result?: undefined }

/** An apply that changes nothing makes no new version. */
function isUntouched(before: KubeObject | 'absent', live: KubeObject): boolean {
  return before !== 'absent' && before.metadata.resourceVersion === live.metadata.resourceVersion
}

/** About this object alone: the others go on. */
const ALONE: ReadonlySet<string> = new Set(['TargetConflict', 'TargetForeign'])
const REFUSALS: ReadonlySet<string> = new Set(['KubeInvalid', 'KubeTooLarge'])
