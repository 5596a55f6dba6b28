import type { KubeClient } from '../../../../src/kube/kube-client.ts'
import type { KubeObject } from '../../../../src/kube/kube-object.ts'
import { GroupedKeys } from '../../../../src/targets/objects/grouped-keys.ts'
import { KnownObjects } from '../../../../src/targets/objects/known-objects.ts'
import { ManyObjectsWriter } from '../../../../src/targets/objects/many-objects-writer.ts'
import { ObjectPlan, type Refusal, type WaitingSources } from '../../../../src/targets/objects/object-plan.ts'
import type { ObjectWriter } from '../../../../src/targets/objects/object-writer.ts'
import type { ObjectsTargetOptions } from '../../../../src/targets/objects/options.ts'
import { TemplateProjection } from '../../../../src/targets/objects/template-projection.ts'
import { templateFault } from '../../../../src/targets/render/liquid.ts'
import { ManifestRenderer } from '../../../../src/targets/render/render-manifests.ts'
import type { RenderPool } from '../../../../src/targets/render/render-pool.ts'

export const PREFIX = Buffer.from('/p/')

const never = new AbortController().signal
const RESOURCES = { resources: [{ name: 'configmaps', kind: 'ConfigMap', namespaced: true }] }
const ANY_CLIENT = { json: async () => RESOURCES } as unknown as KubeClient

/** What a process of the pool does, without the process. */
function inThisProcess(): RenderPool {
  const renderer = new ManifestRenderer()
  const render: RenderPool['render'] = async (_tenant, job) => {
    if (job.kind !== 'manifests') throw new Error('no manifests')
    try {
      return { bytes: renderer.render(job) }
    } catch (error) {
      return { fault: templateFault(error) }
    }
  }
  return { render } as unknown as RenderPool
}

/** A key below the prefix and its new value; undefined = it goes. */
export type KeyChange = readonly [key: Buffer, value: string | undefined]

/** The objects of a template as a namespace would hold them, made by what the sink makes them by. */
export class ObjectPlanRig {
  /** By name. */
  readonly objects = new Map<string, KubeObject>()
  /** By source. */
  readonly refused = new Map<string, Refusal>()
  readonly #projection: TemplateProjection
  readonly #known: KnownObjects
  #groups = new GroupedKeys()
  #waiting: WaitingSources = new Map()
  #revision = 1

  static async make(options: Pick<ObjectsTargetOptions, 'template' | 'per' | 'values'>): Promise<ObjectPlanRig> {
    const projection = new TemplateProjection({
      options: { ...options, deletionPolicy: 'Delete' },
      mirror: 'app',
      prefixLength: PREFIX.length,
      allowKinds: [{ group: '', version: 'v1', kind: 'ConfigMap' }],
      renderPool: inThisProcess(),
    })
    await projection.prepare(ANY_CLIENT, 'default', never)
    return new ObjectPlanRig(projection)
  }

  private constructor(projection: TemplateProjection) {
    this.#projection = projection
    const marks = { mirror: 'app', owner: undefined, deletionPolicy: 'Delete' } as const
    this.#known = new KnownObjects({ projection, marks, seals: new Set() })
  }

  sourceOf(key: Buffer): string {
    return this.#projection.sourceOf(key)
  }

  /** Writes what a batch leads to, or with `isWhole` a complete state; returns the names that were written or removed. */
  async write(changes: readonly KeyChange[], { isWhole = false } = {}): Promise<readonly string[]> {
    this.#revision += 1
    const isGrouped = this.#projection.isGrouped
    const groups = isGrouped ? new GroupedKeys(isWhole ? undefined : this.#groups) : undefined
    const parts = { known: this.#known, projection: this.#projection, prefixLength: PREFIX.length, groups }
    const plan = new ObjectPlan(isWhole ? parts : { ...parts, waiting: this.#waiting })
    await plan.change(
      changes.map((change) => this.#changeOf(change)),
      never,
    )
    await plan.complete({ isWhole, signal: never })
    const touched = await this.#carryOut(plan)
    this.#groups = plan.groups?.commit() ?? this.#groups
    this.#waiting = plan.waiting
    return touched
  }

  get totals() {
    return this.#groups.totals
  }

  #changeOf([relative, value]: KeyChange) {
    const key = Buffer.concat([PREFIX, relative])
    const modRevision = this.#revision
    if (value === undefined) return { type: 'delete', key, modRevision } as const
    const put = { type: 'put', key, value: Buffer.from(value), modRevision } as const
    return { ...put, createRevision: 1, version: 1, lease: 0n }
  }

  async #carryOut(plan: ObjectPlan): Promise<readonly string[]> {
    const touched: string[] = []
    const write: ObjectWriter['write'] = async ({ name }, object) => {
      const live = {
        ...object,
        metadata: { ...object.metadata, name, uid: name, resourceVersion: `${this.#revision}` },
      }
      touched.push(name)
      this.objects.set(name, live)
      return live
    }
    const remove: ObjectWriter['delete'] = async ({ name }) => {
      touched.push(name)
      this.objects.delete(name)
    }
    const writer = new ManyObjectsWriter({
      sink: { mirrorName: 'app', metrics: { add: () => undefined } } as never,
      deletionPolicy: 'Delete',
      namespace: 'default',
      known: this.#known,
      writer: { write, delete: remove } as unknown as ObjectWriter,
      refused: this.refused,
    })
    const position = { revision: this.#revision, epoch: 0 } as never
    await writer.run(plan.plans, position, never)
    return touched
  }
}
