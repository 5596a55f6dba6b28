import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeError } from '../kube/kube-error.ts'
import { isKnownVersion, type KubeObject } from '../kube/kube-object.ts'
import type { KubeResource } from '../kube/kube-resource.ts'
import { ListWatch } from '../kube/list-watch.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import { isForbidden } from './is-forbidden.ts'
import { keyOf } from './operator-resources.ts'
import { withHint } from './with-hint.ts'

/** Objects that are followed together: all, those of one namespace, or the one of a name. */
export interface Place {
  readonly namespace?: string
  readonly name?: string
}

export interface ResourceCacheOptions {
  readonly client: KubeClient
  readonly resource: KubeResource
  readonly places: readonly Place[]
  readonly clock: Clock
  readonly logger: Logger
  /** Called with the key of what came, changed or went, unless `answered` has told that. Must not throw. */
  readonly onChange: (key: string) => void
  /** The objects of this place can be read now, or not any more. Must not throw. */
  readonly onAccess: (place: Place) => void
}

/** All objects of a kind as the API last told them. */
export class ResourceCache {
  readonly #options: ResourceCacheOptions
  readonly #objects = new Map<string, KubeObject>()
  readonly #listed = Promise.withResolvers<void>()
  /** Places of which it is not known yet what is there, and why not, as far as that was tried. */
  readonly #unlisted = new Map<string, KubeError | undefined>()
  readonly #refusals = new Map<string, KubeError>()

  constructor(options: ResourceCacheOptions) {
    this.#options = options
    for (const place of options.places) this.#unlisted.set(idOf(place), undefined)
  }

  /** Resolves once everything was listed that can be. */
  async listed(): Promise<void> {
    await this.#listed.promise
  }

  /** Why not everything was listed yet that can be; undefined = it was. */
  get obstacle(): string | undefined {
    if (this.#unlisted.size === 0) return undefined
    const failure = [...this.#unlisted.values()].find((each) => each !== undefined)
    return failure === undefined ? `${this.#options.resource.plural} are not listed yet` : withHint(failure)
  }

  /** Why nothing of it can be read anywhere; undefined = something can. */
  get refusedEverywhere(): KubeError | undefined {
    return this.#refusals.size < this.#options.places.length ? undefined : [...this.#refusals.values()][0]
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key)
  }

  values(): Iterable<KubeObject> {
    return this.#objects.values()
  }

  /** Why the objects of a namespace (or the one of this name) cannot be read for now; undefined = they can. */
  refusal(of: string): KubeError | undefined {
    return this.#refusals.get(of) ?? this.#refusals.get(idOf({}))
  }

  /** Follows the objects until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#options.places.map((place) => this.#follow(place, signal)))
  }

  /** What a write was answered with. A watch that was faster has told more: what is newer, or that it is gone. */
  answered(object: KubeObject): void {
    const known = this.#objects.get(keyOf(object))
    if (known !== undefined && known.metadata.uid === object.metadata.uid) this.#learn(object)
  }

  #follow(place: Place, signal: AbortSignal): Promise<void> {
    const { client, resource, clock, onChange } = this.#options
    const { namespace, name } = place
    const watch = new ListWatch({
      client,
      query: { resource, namespace, ...(name !== undefined && { fieldSelector: `metadata.name=${name}` }) },
      clock,
      onList: (objects) => this.#replace(place, objects),
      onChange: (object) => {
        if (this.#learn(object)) onChange(keyOf(object))
      },
      onDelete: (object) => {
        this.#objects.delete(keyOf(object))
        onChange(keyOf(object))
      },
      onError: (error) => this.#failed(place, error),
    })
    return watch.run(signal)
  }

  #replace(place: Place, objects: readonly KubeObject[]): void {
    const { onChange, onAccess } = this.#options
    const id = idOf(place)
    const keys = new Set(objects.map(keyOf))
    for (const [key, object] of this.#objects) {
      if (!isIn(place, object) || keys.has(key)) continue
      this.#objects.delete(key)
      onChange(key)
    }
    for (const object of objects) if (this.#learn(object)) onChange(keyOf(object))
    if (this.#refusals.delete(id)) onAccess(place)
    this.#settle(id)
  }

  /** Returns whether it is news. Of an object no older version takes the place of a newer one. */
  #learn(object: KubeObject): boolean {
    const key = keyOf(object)
    const known = this.#objects.get(key)
    if (known !== undefined && isKnownVersion(known, object)) return false
    // Half of an object is who wrote which field; an update without that leaves it as it is.
    const { managedFields: _, ...metadata } = object.metadata
    this.#objects.set(key, { ...object, metadata })
    return true
  }

  /** Without the rights for one place, or the CRD of one kind, the others are served all the same. */
  #failed(place: Place, error: KubeError): void {
    const { resource, logger, onAccess } = this.#options
    const id = idOf(place)
    const isKnown = this.#refusals.get(id)?.message === error.message
    if (!isKnown) {
      logger.warn({ resource: resource.plural, ...place, err: error }, 'cannot follow the resources; trying again')
    }
    if (this.#unlisted.has(id)) this.#unlisted.set(id, error)
    if (error.code !== 'KubeNotFound' && !isForbidden(error)) return
    this.#refusals.set(id, error)
    if (!isKnown) onAccess(place)
    this.#settle(id)
  }

  #settle(id: string): void {
    this.#unlisted.delete(id)
    if (this.#unlisted.size === 0) this.#listed.resolve()
  }
}

function idOf({ namespace, name }: Place): string {
  return namespace ?? name ?? ''
}

function isIn({ namespace, name }: Place, { metadata }: KubeObject): boolean {
  return (namespace === undefined || metadata.namespace === namespace) && (name === undefined || metadata.name === name)
}
