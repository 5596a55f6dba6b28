import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeError } from '../kube/kube-error.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import type { KubeResource } from '../kube/kube-resource.ts'
import { ListWatch } from '../kube/list-watch.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import { isForbidden } from './is-forbidden.ts'

/** A Secret or ConfigMap as the API last told it. */
export type NamedObject =
  | { readonly kind: 'present'; readonly data: Readonly<Record<string, string>> }
  | { readonly kind: 'absent' }
  | { readonly kind: 'forbidden'; readonly message: string }

export interface NamedRef {
  readonly namespace: string
  readonly name: string
}

export interface NamedObjectsOptions {
  readonly client: KubeClient
  /** Secrets or ConfigMaps. */
  readonly resource: KubeResource
  readonly clock: Clock
  readonly logger: Logger
  /** What is known of an object that this user names is another than before. Must not throw. */
  readonly onChange: (user: string) => void
}

interface Followed {
  readonly users: Set<string>
  readonly stop: AbortController
  readonly ended: Promise<void>
  known: NamedObject | undefined
}

/**
 * Follows the objects that somebody names, and no others: one watch each, which rights can limit to the name, and of which
 * the API server and we keep one object. So kubelets do it.
 */
export class NamedObjects {
  readonly #options: NamedObjectsOptions
  readonly #followed = new Map<string, Followed>()
  /** What each user names. */
  readonly #used = new Map<string, ReadonlySet<string>>()

  constructor(options: NamedObjectsOptions) {
    this.#options = options
  }

  /** From now on these are what the user names. */
  use(user: string, refs: readonly NamedRef[]): void {
    const before = this.#used.get(user) ?? new Set()
    const wanted = new Set(refs.map(idOf))
    for (const ref of refs) this.#follow(ref).users.add(user)
    if (wanted.size > 0) this.#used.set(user, wanted)
    else this.#used.delete(user)
    for (const id of before) if (!wanted.has(id)) this.#drop(id, user)
  }

  /** undefined = not known yet: `onChange` will tell its users. */
  get(ref: NamedRef): NamedObject | undefined {
    return this.#followed.get(idOf(ref))?.known
  }

  /** Ends every watch. */
  async close(): Promise<void> {
    const all = [...this.#followed.values()]
    this.#followed.clear()
    for (const { stop } of all) stop.abort()
    await Promise.all(all.map(({ ended }) => ended))
  }

  #drop(id: string, user: string): void {
    const followed = this.#followed.get(id)
    followed?.users.delete(user)
    if (followed === undefined || followed.users.size > 0) return
    followed.stop.abort()
    this.#followed.delete(id)
  }

  #follow(ref: NamedRef): Followed {
    const id = idOf(ref)
    const before = this.#followed.get(id)
    if (before !== undefined) return before
    const stop = new AbortController()
    const ended = this.#run(ref, stop.signal)
    const followed: Followed = { users: new Set(), stop, ended, known: undefined }
    this.#followed.set(id, followed)
    return followed
  }

  #run(ref: NamedRef, signal: AbortSignal): Promise<void> {
    const { client, clock, resource } = this.#options
    const { namespace, name } = ref
    const watch = new ListWatch({
      client,
      query: { resource, namespace, fieldSelector: `metadata.name=${name}` },
      clock,
      onList: ([object]) => this.#learn(ref, object === undefined ? { kind: 'absent' } : presentOf(object)),
      onChange: (object) => this.#learn(ref, presentOf(object)),
      onDelete: () => this.#learn(ref, { kind: 'absent' }),
      onError: (error) => this.#failed(ref, error),
    })
    return watch.run(signal)
  }

  #learn(ref: NamedRef, known: NamedObject): void {
    const followed = this.#followed.get(idOf(ref))
    if (followed === undefined || JSON.stringify(followed.known) === JSON.stringify(known)) return
    followed.known = known
    for (const user of followed.users) this.#options.onChange(user)
  }

  #failed(ref: NamedRef, error: KubeError): void {
    const { resource, logger } = this.#options
    if (isForbidden(error)) this.#learn(ref, { kind: 'forbidden', message: error.message })
    else logger.warn({ resource: resource.plural, ...ref, err: error }, 'cannot follow an object; trying again')
  }
}

function idOf({ namespace, name }: NamedRef): string {
  return `${namespace}/${name}`
}

function presentOf({ data }: KubeObject): NamedObject {
  return { kind: 'present', data: (data ?? {}) as Readonly<Record<string, string>> }
}
