import { createHash } from 'node:crypto'
import { isKnownVersion, type KubeObject, type OwnerReference, versionOf } from '../../kube/kube-object.ts'
import type { KubeResource } from '../../kube/kube-resource.ts'
import type { Totals } from '../../mirror/sink.ts'
import { fingerprintOf, hasRightOwner, type ObjectMarks, ownMarks } from './object-fingerprint.ts'
import { ANNOTATIONS, isOwnedBy } from './object-identity.ts'
import type { ObjectProjection } from './object-projection.ts'
import { isBehind } from './stored-state.ts'

/** What is kept of an object that stands there. */
export interface KnownObject {
  readonly resource: KubeResource
  readonly source: string
  /** Bytes of values that it holds. */
  readonly size: number
  /** Its metadata alone, as far as writes need them. */
  readonly live: KubeObject
  /** Of what it was written with. */
  readonly hash: string
  /** Of what stands there, but for what is not ours. */
  readonly fingerprint: string
  /** Of the fingerprint, for the index. */
  readonly seal: string
  /** false = it is not what it was written with, or nobody knows. */
  readonly isSound: boolean
}

export interface KnownObjectsOptions {
  readonly projection: ObjectProjection
  readonly marks: ObjectMarks
  /** Of the objects as they were left: see `seals`. */
  readonly seals: ReadonlySet<string>
}

/** Beyond it the index would be too large for one ConfigMap. */
const MAX_SEALS = 100_000
const SEAL_BYTES = 6

/** The objects of a mirror as they stand in the API server, without what they hold. */
export class KnownObjects {
  readonly #projection: ObjectProjection
  readonly #options: KnownObjectsOptions
  /** One for all objects. */
  readonly #owners: readonly OwnerReference[]
  readonly #objects = new Map<string, KnownObject>()
  readonly #bySource = new Map<string, Set<string>>()
  /** Objects that are being written: what the watch shows of them is looked at afterwards. */
  readonly #inFlight = new Map<string, KubeObject | 'absent' | undefined>()
  #unsound = 0
  #gone = 0
  #bytes = 0

  constructor(options: KnownObjectsOptions) {
    this.#options = options
    this.#projection = options.projection
    const { owner } = options.marks
    this.#owners = owner === undefined ? [] : [owner]
  }

  /** Sources that have objects, and the bytes of their values. */
  get totals(): Totals {
    return { keys: this.#bySource.size, bytes: this.#bytes }
  }

  /** Objects that stand there. */
  get count(): number {
    return this.#objects.size - this.#gone
  }

  /** Whether some object is not what it was written with, or is gone. */
  get isDrifted(): boolean {
    return this.#unsound > 0
  }

  get(resource: KubeResource, name: string): KnownObject | undefined {
    return this.#objects.get(idOf(resource, name))
  }

  /** The newest revision that an object was written for; undefined = there are none. */
  get newest(): { readonly revision: number; readonly epoch: number } | undefined {
    let newest: { revision: number; epoch: number } | undefined
    for (const { live } of this.#objects.values()) {
      const { [ANNOTATIONS.revision]: revision = 0, [ANNOTATIONS.epoch]: epoch = 0 } = live.metadata.annotations ?? {}
      const written = { revision: Number(revision), epoch: Number(epoch) }
      if (newest === undefined || isBehind(newest, written)) newest = written
    }
    return newest
  }

  ofSource(source: string): readonly KnownObject[] {
    return [...(this.#bySource.get(source) ?? [])].flatMap((id) => this.#objects.get(id) ?? [])
  }

  sources(): Iterable<string> {
    return this.#bySource.keys()
  }

  /** One number for all objects: names and hashes, in any order. */
  digest(): string {
    const sum = Buffer.alloc(32)
    for (const [id, { hash }] of this.#objects) {
      const one = createHash('sha256').update(`${id}\0${hash}`).digest()
      for (const [at, byte] of one.entries()) sum[at] = (sum[at] ?? 0) ^ byte
    }
    return sum.toString('hex')
  }

  /**
   * Where objects do not tell by themselves whether they are what they were written with: what each was left as, 48 bits
   * in Base64. The uid is in it, which only those know who may read the object: nobody else can check a guess. Empty when
   * they are too many.
   */
  seals(): readonly string[] {
    if (this.#projection.isSound !== undefined || this.#objects.size > MAX_SEALS) return []
    return [...this.#objects.values()].filter(({ isSound }) => isSound).map(({ seal }) => seal)
  }

  /** Of a list. */
  learn(resource: KubeResource, live: KubeObject): void {
    const hash = hashOf(live)
    const isSound = hash !== '' && this.#isAsLeft(live, hash)
    this.#put(resource, live, hash, isSound)
  }

  /** To be called before a write, and `wrote` or `failed` after it. */
  writing(resource: KubeResource, name: string): void {
    this.#inFlight.set(idOf(resource, name), undefined)
  }

  /** `live` `absent`: it is deleted. */
  wrote(resource: KubeResource, name: string, live: KubeObject | 'absent'): void {
    const id = idOf(resource, name)
    if (live === 'absent') this.#remove(id)
    else this.#put(resource, live, hashOf(live), true)
    this.#settle(resource, name)
  }

  failed(resource: KubeResource, name: string): void {
    this.#settle(resource, name)
  }

  /** Of the watch. Returns whether something is not as it was written. */
  saw(resource: KubeResource, name: string, found: KubeObject | 'absent'): boolean {
    const id = idOf(resource, name)
    if (this.#inFlight.has(id)) {
      this.#inFlight.set(id, found)
      return false
    }
    const known = this.#objects.get(id)
    if (found === 'absent') return this.#lost(id, known)
    if (known !== undefined && isKnownVersion(known.live, found)) return false
    if (known === undefined && this.#projection.sourceOfObject(found) === undefined) return false
    const isSound = known?.isSound === true && known.fingerprint === fingerprintOf(found, this.#options.marks)
    this.#put(resource, found, hashOf(found), isSound)
    return !isSound
  }

  /** Of a list that the watch had to begin anew with. What was written after its version is not missing in it. */
  sawAll(resource: KubeResource, objects: readonly KubeObject[], resourceVersion: string): boolean {
    const names = new Set(objects.map(({ metadata }) => metadata.name))
    const version = BigInt(resourceVersion || 0)
    const gone = [...this.#objects.values()].filter(
      ({ resource: own, live: { metadata } }) =>
        own === resource && !names.has(metadata.name) && BigInt(metadata.resourceVersion ?? 0) <= version,
    )
    const seen = [
      ...objects.map((object) => this.saw(resource, object.metadata.name, object)),
      ...gone.map(({ live }) => this.saw(resource, live.metadata.name, 'absent')),
    ]
    return seen.includes(true)
  }

  #isAsLeft(live: KubeObject, hash: string): boolean {
    const { marks, seals } = this.#options
    if (this.#projection.isSound) return this.#projection.isSound(live, hash) && hasRightOwner(live, marks)
    return hasRightOwner(live, marks) && seals.has(sealOf(live, fingerprintOf(live, marks)))
  }

  #settle(resource: KubeResource, name: string): void {
    const id = idOf(resource, name)
    const seen = this.#inFlight.get(id)
    this.#inFlight.delete(id)
    const known = this.#objects.get(id)
    // A delete that the watch shows is our own, or older than what we have written since.
    if (seen !== undefined && seen !== 'absent' && !(known && isKnownVersion(known.live, seen))) {
      this.saw(resource, name, seen)
    }
  }

  /** It is remembered, so that `isDrifted` tells until it is written again. */
  #lost(id: string, known: KnownObject | undefined): boolean {
    if (known === undefined) return false
    this.#remove(id)
    this.#insert(id, { ...known, isSound: false, hash: '', live: { metadata: { name: known.live.metadata.name } } })
    return true
  }

  #put(resource: KubeResource, live: KubeObject, hash: string, isSound: boolean): void {
    const id = idOf(resource, live.metadata.name)
    const source = this.#projection.sourceOfObject(live) ?? this.#objects.get(id)?.source
    // Ours, but made of no key: the index.
    if (source === undefined) return
    this.#remove(id)
    const fingerprint = fingerprintOf(live, this.#options.marks)
    const size = this.#projection.sizeOf(live)
    const seal = sealOf(live, fingerprint)
    this.#insert(id, { resource, source, size, live: this.#slim(live), hash, fingerprint, seal, isSound })
  }

  #insert(id: string, known: KnownObject): void {
    this.#objects.set(id, known)
    const ids = this.#bySource.get(known.source) ?? new Set()
    this.#bySource.set(known.source, ids.add(id))
    this.#bytes += known.size
    if (!known.isSound) this.#unsound += 1
    if (liveOf(known) === 'absent') this.#gone += 1
  }

  #slim(live: KubeObject): KubeObject {
    const metadata = { ...versionOf(live).metadata, ...ownMarks(live.metadata) }
    const isOwned = this.#owners.some((owner) => isOwnedBy(live, owner))
    return { metadata: isOwned ? { ...metadata, ownerReferences: this.#owners } : metadata }
  }

  #remove(id: string): void {
    const known = this.#objects.get(id)
    if (known === undefined) return
    this.#objects.delete(id)
    this.#bytes -= known.size
    if (!known.isSound) this.#unsound -= 1
    if (liveOf(known) === 'absent') this.#gone -= 1
    const ids = this.#bySource.get(known.source)
    ids?.delete(id)
    if (ids?.size === 0) this.#bySource.delete(known.source)
  }
}

function idOf({ group, kind }: KubeResource, name: string): string {
  return `${kind}.${group}/${name}`
}

/** Whether it stands there, for a write. */
export function liveOf(known: KnownObject | undefined): KubeObject | 'absent' {
  return known?.live.metadata.resourceVersion === undefined ? 'absent' : known.live
}

function hashOf({ metadata }: KubeObject): string {
  return metadata.annotations?.[ANNOTATIONS.contentHash] ?? ''
}

function sealOf({ metadata }: KubeObject, fingerprint: string): string {
  const digest = createHash('sha256').update(`${metadata.uid}\0${fingerprint}`).digest()
  return digest.subarray(0, SEAL_BYTES).toString('base64')
}
