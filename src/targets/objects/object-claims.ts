import type { KnownObjects } from './known-objects.ts'
import type { DesiredObject } from './object-projection.ts'

/** Which source wants which object: the one that has it, else the first one that asks. */
export class ObjectClaims {
  readonly #known: KnownObjects
  readonly #sources = new Map<string, string>()

  constructor(known: KnownObjects) {
    this.#known = known
  }

  /** Returns whether all of them are the source's, whatever others want. */
  claim(source: string, objects: readonly DesiredObject[]): boolean {
    return objects.map((object) => this.#claimOne(source, object)).every((isOwn) => isOwn)
  }

  ownerOf(object: DesiredObject): string | undefined {
    return this.#sources.get(idOf(object))
  }

  release(source: string): void {
    for (const [id, owner] of this.#sources) if (owner === source) this.#sources.delete(id)
  }

  #claimOne(source: string, object: DesiredObject): boolean {
    const id = idOf(object)
    const holder = this.#known.get(object.resource, object.name)?.source
    if (holder === source || !this.#sources.has(id)) this.#sources.set(id, source)
    return this.#sources.get(id) === source && (holder ?? source) === source
  }
}

function idOf({ resource, name }: DesiredObject): string {
  return `${resource.kind}.${resource.group}/${name}`
}
