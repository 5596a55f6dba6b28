import type { KubeClient, ListQuery } from '../kube/kube-client.ts'
import type { KubeError } from '../kube/kube-error.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import { type KubeResource, resourcePath } from '../kube/kube-resource.ts'
import { ListWatch } from '../kube/list-watch.ts'
import type { ObjectObserver } from '../targets/objects/follow-objects.ts'
import { LABELS } from '../targets/objects/object-identity.ts'
import type { Clock } from '../util/clock.ts'
import { LinkedAbort } from '../util/linked-abort.ts'
import type { Logger } from '../util/logger.ts'
import { untilAborted } from '../util/until-aborted.ts'
import { keyOf } from './operator-resources.ts'

export interface SharedWatchesOptions {
  readonly client: KubeClient
  /** undefined = all. */
  readonly namespaces: readonly string[] | undefined
  readonly clock: Clock
  readonly logger: Logger
}

interface Subscription {
  readonly observer: ObjectObserver
  /** Of the one object that counts; undefined = all of the mirror do. */
  readonly name: string | undefined
}

const MANAGED = `${LABELS.managedBy}=etcd-mirror`

/** Thousands of mirrors look at their objects through one watch a kind (and namespace, where these are named). */
export class SharedWatches {
  readonly #options: SharedWatchesOptions
  readonly #observers = new Map<string, Set<Subscription>>()
  readonly #running = new Map<string, Promise<void>>()
  /** Of the running watches; none = not known yet. */
  readonly #states = new Map<string, 'Open' | 'Failing'>()
  readonly #stop = new AbortController()

  constructor(options: SharedWatchesOptions) {
    this.#options = options
  }

  /**
   * As a list-watch of the objects of one mirror, until the signal aborts. `mirror`: the value of their label; the
   * namespace of the query must be given.
   */
  async follow(query: ListQuery, mirror: string, observer: ObjectObserver, signal: AbortSignal): Promise<void> {
    const { resource, namespace } = query
    const key = observerKey(resource, namespace, mirror)
    const subscription = { observer, name: /^metadata\.name=(.+)$/.exec(query.fieldSelector ?? '')?.[1] }
    const subscriptions = this.#observers.get(key) ?? new Set()
    this.#observers.set(key, subscriptions.add(subscription))
    this.#watch(resource)
    try {
      await this.#list(query, observer, signal)
      await untilAborted(signal)
    } finally {
      subscriptions.delete(subscription)
      if (subscriptions.size === 0 && this.#observers.get(key) === subscriptions) this.#observers.delete(key)
    }
  }

  /** Ends every watch. */
  async close(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#running.values())
  }

  /** What stands there now; changes come by the shared watch meanwhile. */
  async #list(query: ListQuery, observer: ObjectObserver, signal: AbortSignal): Promise<void> {
    const { client, clock } = this.#options
    const list = new ListWatch({
      client,
      query,
      clock,
      ...observer,
      onList: (objects, resourceVersion) => {
        observer.onList(objects, resourceVersion)
        if (this.#states.get(this.#watchOf(query)) === 'Open') observer.onOpen?.()
        listed.abort()
      },
    })
    using listed = new LinkedAbort(signal)
    await list.run(listed.signal)
  }

  #watch(resource: KubeResource): void {
    for (const namespace of this.#options.namespaces ?? [undefined]) {
      const key = resourcePath(resource, namespace)
      if (!this.#running.has(key)) this.#running.set(key, this.#run(resource, namespace))
    }
  }

  /** The key of the watch that sees what the query asks for. */
  #watchOf({ resource, namespace }: ListQuery): string {
    return resourcePath(resource, this.#options.namespaces === undefined ? undefined : namespace)
  }

  async #run(resource: KubeResource, namespace: string | undefined): Promise<void> {
    const { client, clock } = this.#options
    /** The mirror whose label each object had when it was last seen. */
    let owners = new Map<string, string>()
    const watch = new ListWatch({
      client,
      query: { resource, namespace, labelSelector: MANAGED },
      clock,
      onList: (objects, version) => {
        owners = new Map(objects.map((object) => [keyOf(object), mirrorOf(object)]))
        this.#relisted(resource, namespace, objects, version)
      },
      onChange: (object) => {
        const [before, owner] = [owners.get(keyOf(object)), mirrorOf(object)]
        owners.set(keyOf(object), owner)
        // Who changes the label takes the object away from the mirror that it names no more.
        if (before !== undefined && before !== owner) this.#tellDelete(resource, object, before)
        this.#tell(resource, object, owner, (observer) => observer.onChange(object))
      },
      onDelete: (object) => {
        owners.delete(keyOf(object))
        this.#tellDelete(resource, object, mirrorOf(object))
      },
      onOpen: () => this.#opened(resource, namespace),
      onError: (error) => this.#failed(resource, namespace, error),
    })
    await watch.run(this.#stop.signal)
  }

  #opened(resource: KubeResource, namespace: string | undefined): void {
    this.#states.set(resourcePath(resource, namespace), 'Open')
    for (const [, { observer }] of this.#subscriptionsOf(resource, namespace)) observer.onOpen?.()
  }

  /** Logged once: who sees nothing says so until the watch is open again. */
  #failed(resource: KubeResource, namespace: string | undefined, err: KubeError): void {
    const key = resourcePath(resource, namespace)
    const level = this.#states.get(key) === 'Failing' ? 'debug' : 'warn'
    this.#states.set(key, 'Failing')
    this.#options.logger[level]({ resource: resource.plural, namespace, err }, 'cannot watch the objects; trying again')
    for (const [, { observer }] of this.#subscriptionsOf(resource, namespace)) observer.onError?.(err)
  }

  /** Whom a watch tells, each with its key. */
  *#subscriptionsOf(
    resource: KubeResource,
    namespace: string | undefined,
  ): Generator<readonly [key: string, subscription: Subscription]> {
    const begin = observerKey(resource, namespace, '')
    for (const [key, subscriptions] of this.#observers) {
      if (!key.startsWith(begin)) continue
      for (const subscription of subscriptions) yield [key, subscription]
    }
  }

  #relisted(
    resource: KubeResource,
    namespace: string | undefined,
    objects: readonly KubeObject[],
    resourceVersion: string,
  ): void {
    const byMirror = Map.groupBy(objects, (object) =>
      observerKey(resource, object.metadata.namespace, mirrorOf(object)),
    )
    for (const [key, subscription] of this.#subscriptionsOf(resource, namespace)) {
      const meant = (byMirror.get(key) ?? []).filter((object) => isMeant(subscription, object))
      subscription.observer.onList(meant, resourceVersion)
    }
  }

  #tellDelete(resource: KubeResource, object: KubeObject, mirror: string): void {
    this.#tell(resource, object, mirror, (observer) => observer.onDelete(object))
  }

  #tell(resource: KubeResource, object: KubeObject, mirror: string, tell: (observer: ObjectObserver) => void): void {
    const key = observerKey(resource, object.metadata.namespace, mirror)
    for (const subscription of this.#observers.get(key) ?? []) {
      if (isMeant(subscription, object)) tell(subscription.observer)
    }
  }
}

function isMeant({ name }: Subscription, { metadata }: KubeObject): boolean {
  return name === undefined || metadata.name === name
}

/** The value of its label. */
function mirrorOf({ metadata }: KubeObject): string {
  return metadata.labels?.[LABELS.mirror] ?? ''
}

/** With `namespace` undefined: the beginning of all. */
function observerKey({ plural, group }: KubeResource, namespace: string | undefined, mirror: string): string {
  const kind = `${plural}.${group}|`
  return namespace === undefined ? kind : `${kind}${namespace}|${mirror}`
}
