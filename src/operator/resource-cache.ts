import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import type { KubeResource } from '../kube/kube-resource.ts'
import { ListWatch } from '../kube/list-watch.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import { keyOf } from './operator-resources.ts'

export interface ResourceCacheOptions {
  readonly client: KubeClient
  readonly resource: KubeResource
  /** undefined = of all namespaces, or of the cluster. */
  readonly namespaces: readonly string[] | undefined
  readonly clock: Clock
  readonly logger: Logger
  /** Called with the key of what came, changed or went. Must not throw. */
  readonly onChange: (key: string) => void
}

/** All objects of a kind as the API last told them. */
export class ResourceCache {
  readonly #options: ResourceCacheOptions
  readonly #objects = new Map<string, KubeObject>()
  readonly #listed = new Map<string, PromiseWithResolvers<void>>()

  constructor(options: ResourceCacheOptions) {
    this.#options = options
    for (const namespace of this.#places()) this.#listed.set(namespace ?? '', Promise.withResolvers())
  }

  /** Resolves once everything was listed. */
  async listed(): Promise<void> {
    await Promise.all([...this.#listed.values()].map(({ promise }) => promise))
  }

  get(key: string): KubeObject | undefined {
    return this.#objects.get(key)
  }

  values(): Iterable<KubeObject> {
    return this.#objects.values()
  }

  /** Follows the objects until the signal aborts. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(this.#places().map((namespace) => this.#follow(namespace, signal)))
  }

  /** What the answer to a write says is newer than what a watch has told so far. */
  put(object: KubeObject): void {
    // Half of an object is who wrote which field; an update without that leaves it as it is.
    const { managedFields: _, ...metadata } = object.metadata
    this.#objects.set(keyOf(object), { ...object, metadata })
  }

  #places(): readonly (string | undefined)[] {
    return this.#options.namespaces ?? [undefined]
  }

  #follow(namespace: string | undefined, signal: AbortSignal): Promise<void> {
    const { client, resource, clock, logger, onChange } = this.#options
    const watch = new ListWatch({
      client,
      query: { resource, namespace },
      clock,
      onList: (objects) => this.#replace(namespace, objects),
      onChange: (object) => {
        this.put(object)
        onChange(keyOf(object))
      },
      onDelete: (object) => {
        this.#objects.delete(keyOf(object))
        onChange(keyOf(object))
      },
      onError: (err) =>
        logger.warn({ resource: resource.plural, namespace, err }, 'cannot follow the resources; trying again'),
    })
    return watch.run(signal)
  }

  #replace(namespace: string | undefined, objects: readonly KubeObject[]): void {
    const { onChange } = this.#options
    const keys = new Set(objects.map(keyOf))
    for (const [key, { metadata }] of this.#objects) {
      if ((namespace !== undefined && metadata.namespace !== namespace) || keys.has(key)) continue
      this.#objects.delete(key)
      onChange(key)
    }
    for (const object of objects) {
      this.put(object)
      onChange(keyOf(object))
    }
    this.#listed.get(namespace ?? '')?.resolve()
  }
}
