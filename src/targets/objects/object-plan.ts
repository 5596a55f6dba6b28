import type { KeyValue } from '../../etcd/key-value.ts'
import type { ReportDifference, Totals } from '../../mirror/sink.ts'
import type { Change } from '../../replication/change.ts'
import type { GroupedKeys } from './grouped-keys.ts'
import type { KnownObject, KnownObjects } from './known-objects.ts'
import { ObjectClaims } from './object-claims.ts'
import type { DesiredObject, ObjectProjection, Projected } from './object-projection.ts'

/** A source whose objects the API cannot hold, and why. */
export interface Refusal {
  /** The whole key, or that of a group. */
  readonly key: Buffer
  readonly reason: string
}

/** What one source needs. */
export interface SourcePlan {
  readonly key: Buffer
  readonly writes: readonly DesiredObject[]
  readonly removals: readonly KnownObject[]
  /** What stands there stays, for this reason; undefined = it gets what it should. */
  readonly reason: string | undefined
  /** Whether it is part of the copy afterwards. */
  readonly isLive: boolean
  readonly size: number
}

export interface ObjectPlanParts {
  readonly known: KnownObjects
  readonly projection: ObjectProjection
  readonly prefixLength: number
  /** Where sources are groups: their keys before the changes of the plan; the plan makes the changes to them. */
  readonly groups: GroupedKeys | undefined
  /** See `ObjectPlan.waiting`: of the plan before, if this one is not of a complete state. */
  readonly waiting?: WaitingSources | undefined
  readonly onDifference?: ReportDifference | undefined
}

/** The keys of sources; none for those of groups, which are known. */
export type WaitingSources = ReadonlyMap<string, readonly KeyValue[]>

/** So many may be waiting: each is looked at with every plan. The others get what they want with the next complete state. */
export const MAX_WAITING = 100

/** What a source becomes when nobody objects. */
interface Candidate {
  readonly entries: readonly KeyValue[]
  readonly projected: Projected
}

/** What a state, or a change of it, needs so that the objects are as they should be: nothing for what is equal. */
export class ObjectPlan {
  readonly #plans = new Map<string, SourcePlan>()
  /** Sources that want an object which is, or may be, that of another one. */
  readonly #contested = new Map<string, Candidate>()
  readonly #waiting = new Map<string, readonly KeyValue[]>()
  readonly #claims: ObjectClaims
  readonly #parts: ObjectPlanParts

  constructor(parts: ObjectPlanParts) {
    this.#parts = parts
    this.#claims = new ObjectClaims(parts.known)
  }

  get plans(): ReadonlyMap<string, SourcePlan> {
    return this.#plans
  }

  /** Where sources are groups: their keys with the changes of the plan. */
  get groups(): GroupedKeys | undefined {
    return this.#parts.groups
  }

  /** Sources that want what another one has: they get it when that one lets it go. */
  get waiting(): WaitingSources {
    return this.#waiting
  }

  get isEmpty(): boolean {
    return [...this.#plans.values()].every(({ writes, removals }) => writes.length + removals.length === 0)
  }

  /** Rejects as the projection does; so do `change` and `complete`. */
  async put(entry: KeyValue, signal: AbortSignal): Promise<void> {
    const source = this.#sourceOf(entry.key)
    if (this.#parts.groups) this.#parts.groups.put(source, entry)
    else await this.#propose(source, [entry], signal)
  }

  /** In the order in which they happened. */
  async change(changes: readonly Change[], signal: AbortSignal): Promise<void> {
    for (const change of changes) {
      if (change.type === 'put') await this.put(change, signal)
      else this.#delete(change.key)
    }
  }

  /** To be called when every key is known. `isWhole`: they are a complete state; what no key makes is removed. */
  async complete({ isWhole, signal }: { readonly isWhole: boolean; readonly signal: AbortSignal }): Promise<void> {
    const { groups, waiting = NOBODY } = this.#parts
    for (const source of groups?.changed ?? []) {
      const entries = groups?.of(source) ?? []
      if (entries.length === 0) this.#remove(source)
      else await this.#propose(source, entries, signal)
    }
    for (const [source, entries] of waiting) {
      if (!this.#plans.has(source) && !this.#contested.has(source))
        await this.#propose(source, groups?.of(source) ?? entries, signal)
    }
    if (isWhole) this.#prune()
    this.#settle()
  }

  /** What would be visible after it; `refused`: keys that have no objects now. */
  totals(refused: ReadonlyMap<string, Refusal>): Totals {
    const { known, groups } = this.#parts
    if (groups) return groups.totals
    let { keys, bytes } = known.totals
    keys += [...refused.keys()].filter((source) => known.ofSource(source).length === 0).length
    for (const [source, { isLive, size }] of this.#plans) {
      const before = known.ofSource(source)
      const wasLive = before.length > 0 || refused.has(source)
      keys += Number(isLive) - Number(wasLive)
      bytes += (isLive ? size : 0) - before.reduce((sum, { size }) => sum + size, 0)
    }
    return { keys, bytes }
  }

  #delete(key: Buffer): void {
    const source = this.#sourceOf(key)
    if (this.#parts.groups) this.#parts.groups.delete(source, key)
    else this.#remove(source)
  }

  #sourceOf(key: Buffer): string {
    return this.#parts.projection.sourceOf(key.subarray(this.#parts.prefixLength))
  }

  async #propose(source: string, entries: readonly KeyValue[], signal: AbortSignal): Promise<void> {
    this.#forget(source)
    const candidate = { entries, projected: await this.#parts.projection.project(entries, signal) }
    if (this.#claims.claim(source, candidate.projected.objects ?? [])) this.#accept(source, candidate)
    else this.#contested.set(source, candidate)
  }

  /** A key may change twice: while a snapshot is read. */
  #forget(source: string): void {
    if (this.#plans.delete(source) || this.#contested.delete(source)) this.#claims.release(source)
  }

  /**
   * Two sources cannot have one object. Who has it keeps it for as long as it wants it; else the first one gets it. Who
   * is refused keeps what it has, which may refuse others.
   */
  #settle(): void {
    for (const [source, { projected }] of this.#contested) this.#claims.claim(source, projected.objects ?? [])
    while (this.#refuseTaken());
    for (const [source, candidate] of this.#contested) this.#accept(source, candidate)
    for (const { projected } of this.#contested.values())
      for (const each of projected.objects ?? []) this.#takeOver(each)
  }

  /** Returns whether there were any. */
  #refuseTaken(): boolean {
    const before = this.#contested.size
    const what = this.#parts.groups ? 'group' : 'key'
    for (const [source, { entries, projected }] of this.#contested) {
      const taken = projected.objects?.find((object) => !this.#mayHave(source, object))
      if (taken === undefined) continue
      const reason = `its object ${taken.resource.kind} ${taken.name} is that of another ${what}`
      this.#contested.delete(source)
      if (this.#waiting.size < MAX_WAITING) this.#waiting.set(source, this.#parts.groups ? [] : entries.map(copyOf))
      this.#accept(source, { entries, projected: { key: projected.key, reason } })
    }
    return this.#contested.size < before
  }

  #mayHave(source: string, object: DesiredObject): boolean {
    if (this.#claims.ownerOf(object) !== source) return false
    const holder = this.#holderOf(object) ?? source
    if (holder === source || this.#contested.has(holder)) return true
    const plan = this.#plans.get(holder)
    return plan !== undefined && plan.reason === undefined
  }

  /** It is written over, not removed. */
  #takeOver(object: DesiredObject): void {
    const holder = this.#holderOf(object)
    const plan = holder === undefined ? undefined : this.#plans.get(holder)
    if (holder === undefined || plan === undefined) return
    const removals = plan.removals.filter(({ resource, live }) => !isSame(object, resource, live))
    this.#plans.set(holder, { ...plan, removals })
  }

  /** Whose object it is by now. */
  #holderOf({ resource, name }: DesiredObject): string | undefined {
    return this.#parts.known.get(resource, name)?.source
  }

  #accept(source: string, { entries, projected }: Candidate): void {
    const { key, objects, reason } = projected
    const size = entries.reduce((sum, { value }) => sum + value.length, 0)
    const plan = { key: Buffer.from(key), reason, isLive: true, size }
    if (objects === undefined) {
      this.#plans.set(source, { ...plan, writes: [], removals: [] })
      return
    }
    const before = this.#parts.known.ofSource(source)
    const modRevision = entries.reduce((newest, entry) => Math.max(newest, entry.modRevision), 0)
    const writes = objects.filter((desired) => !this.#isThere(desired, before, modRevision))
    const removals = before.filter(({ resource, live }) => !objects.some((each) => isSame(each, resource, live)))
    this.#plans.set(source, { ...plan, writes, removals })
  }

  #prune(): void {
    const { known, onDifference } = this.#parts
    for (const source of known.sources()) {
      if (this.#plans.has(source) || this.#contested.has(source)) continue
      this.#remove(source)
      for (const { resource, live } of known.ofSource(source)) {
        onDifference?.({ path: `${resource.plural}/${live.metadata.name}`, kind: 'added', modRevision: undefined })
      }
    }
  }

  #remove(source: string): void {
    this.#forget(source)
    const removals = this.#parts.known.ofSource(source)
    this.#plans.set(source, { key: NO_KEY, writes: [], removals, reason: undefined, isLive: false, size: 0 })
  }

  #isThere(desired: DesiredObject, before: readonly KnownObject[], modRevision: number): boolean {
    const known = before.find(({ resource, live }) => isSame(desired, resource, live))
    if (known?.isSound && known.hash === desired.hash) return true
    const path = `${desired.resource.plural}/${desired.name}`
    this.#parts.onDifference?.({ path, kind: known === undefined ? 'missing' : 'changed', modRevision })
    return false
  }
}

const NO_KEY = Buffer.alloc(0)
const NOBODY: WaitingSources = new Map()

/** Keys and values are often views of a large message. */
function copyOf(entry: KeyValue): KeyValue {
  return { ...entry, key: Buffer.from(entry.key), value: Buffer.from(entry.value) }
}

function isSame(desired: DesiredObject, resource: KnownObject['resource'], live: KnownObject['live']): boolean {
  return desired.resource === resource && desired.name === live.metadata.name
}
