import type { KeyValue } from '../../etcd/key-value.ts'
import type { ReportDifference, Totals } from '../../mirror/sink.ts'
import type { KnownObject, KnownObjects } from './known-objects.ts'
import type { DesiredObject, ObjectProjection, Projected } from './object-projection.ts'

/** A source whose objects the API cannot hold, and why. */
export interface Refusal {
  /** The whole key. */
  readonly key: Buffer
  readonly reason: string
}

/** What one source needs. */
export interface SourcePlan {
  readonly key: Buffer
  readonly writes: readonly DesiredObject[]
  readonly removals: readonly KnownObject[]
  /** It has no objects, for this reason; undefined = it has what it should. */
  readonly reason: string | undefined
  /** Whether it is part of the copy afterwards. */
  readonly isLive: boolean
  readonly size: number
}

/** What a state, or a change of it, needs so that the objects are as they should be: nothing for what is equal. */
export class ObjectPlan {
  readonly #plans = new Map<string, SourcePlan>()
  /** Which source makes an object, by kind and name. */
  readonly #claims = new Map<string, string>()
  readonly #known: KnownObjects
  readonly #projection: ObjectProjection
  readonly #prefixLength: number
  readonly #onDifference: ReportDifference

  constructor(
    known: KnownObjects,
    projection: ObjectProjection,
    prefixLength: number,
    onDifference: ReportDifference = () => undefined,
  ) {
    this.#known = known
    this.#projection = projection
    this.#prefixLength = prefixLength
    this.#onDifference = onDifference
  }

  get plans(): ReadonlyMap<string, SourcePlan> {
    return this.#plans
  }

  get isEmpty(): boolean {
    return [...this.#plans.values()].every(({ writes, removals }) => writes.length + removals.length === 0)
  }

  async put(entry: KeyValue, signal: AbortSignal): Promise<void> {
    const { key, value, modRevision } = entry
    const source = this.#projection.sourceOf(key.subarray(this.#prefixLength))
    const { objects = [], reason } = this.#unclaimed(source, await this.#projection.project(entry, signal))
    const before = this.#known.ofSource(source)
    const writes = objects.filter((desired) => !this.#isThere(desired, before, modRevision))
    const removals = before.filter(({ resource, live }) => !objects.some((each) => isSame(each, resource, live)))
    this.#plans.set(source, { key: Buffer.from(key), writes, removals, reason, isLive: true, size: value.length })
  }

  delete(key: Buffer): void {
    const source = this.#projection.sourceOf(key.subarray(this.#prefixLength))
    this.#remove(source, Buffer.from(key))
  }

  /** What stands there and has no key in a complete state. */
  prune(): void {
    for (const source of this.#known.sources()) {
      if (this.#plans.has(source)) continue
      this.#remove(source, Buffer.alloc(0))
      for (const { resource, live } of this.#known.ofSource(source)) {
        this.#onDifference({ path: `${resource.plural}/${live.metadata.name}`, kind: 'added', modRevision: undefined })
      }
    }
  }

  /** What would be visible after it; `refused`: keys that have no objects now. */
  totals(refused: ReadonlyMap<string, Refusal>): Totals {
    let { keys, bytes } = this.#known.totals
    keys += [...refused.keys()].filter((source) => this.#known.ofSource(source).length === 0).length
    for (const [source, { isLive, size }] of this.#plans) {
      const before = this.#known.ofSource(source)
      const wasLive = before.length > 0 || refused.has(source)
      keys += Number(isLive) - Number(wasLive)
      bytes += (isLive ? size : 0) - before.reduce((sum, known) => sum + known.size, 0)
    }
    return { keys, bytes }
  }

  /** Two keys cannot have one object: the one that has it keeps it. */
  #unclaimed(source: string, projected: Projected): Projected {
    for (const { resource, name } of projected.objects ?? []) {
      const id = `${resource.kind}.${resource.group}/${name}`
      const known = this.#known.get(resource, name)?.source ?? source
      const isGiven = known === source || this.#plans.get(known)?.isLive === false
      const owner = isGiven ? (this.#claims.get(id) ?? source) : known
      if (owner !== source) return { reason: `its object ${resource.kind} ${name} is that of another key` }
      this.#claims.set(id, source)
    }
    return projected
  }

  #remove(source: string, key: Buffer): void {
    const removals = this.#known.ofSource(source)
    this.#plans.set(source, { key, writes: [], removals, reason: undefined, isLive: false, size: 0 })
  }

  #isThere(desired: DesiredObject, before: readonly KnownObject[], modRevision: number): boolean {
    const known = before.find(({ resource, live }) => isSame(desired, resource, live))
    if (known?.isSound && known.hash === desired.hash) return true
    const path = `${desired.resource.plural}/${desired.name}`
    this.#onDifference({ path, kind: known === undefined ? 'missing' : 'changed', modRevision })
    return false
  }
}

function isSame(desired: DesiredObject, resource: KnownObject['resource'], live: KnownObject['live']): boolean {
  return desired.resource === resource && desired.name === live.metadata.name
}
