import { isDeepStrictEqual } from 'node:util'
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
  | { readonly kind: 'present'; readonly data: ReadonlyMap<string, string> }
  | { readonly kind: 'absent' }
  | { readonly kind: 'forbidden'; readonly message: string }
  /** It was never read, and for a while cannot be for another reason. */
  | { readonly kind: 'unreadable'; readonly message: string }

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
  readonly ref: NamedRef
  readonly users: Set<string>
  readonly stop: AbortController
  /** Monotonic milliseconds. */
  readonly sinceMs: number
  /** Whether it has one of the watches of its namespace. */
  isWatched: boolean
  known: NamedObject | undefined
  /** The failure that the log has told last. */
  told: string | undefined
}

/** How many objects of one namespace are followed. */
interface Crowd {
  named: number
  watched: number
}

/** Each is a connection to the API server. */
const MAX_WATCHES = 64
/** How often what has no watch is looked at; less often where a second for each is longer. */
const LOOK_MS = 60_000
const LOOK_EACH_MS = 1000
/** Most of what fails at first has passed by then, and nobody was told. */
const PATIENCE_MS = 15_000

/**
 * Follows the objects that somebody names, and no others: one watch each, which rights can limit to the name, and of which
 * the API server and we keep one object. So kubelets do it. Beyond some of a namespace the others are looked at time and again.
 */
export class NamedObjects {
  readonly #options: NamedObjectsOptions
  readonly #followed = new Map<string, Followed>()
  /** What each user names. */
  readonly #used = new Map<string, ReadonlySet<string>>()
  /** Everything that is under way, also of objects that nobody names any more. */
  readonly #running = new Set<Promise<void>>()
  readonly #crowds = new Map<string, Crowd>()

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
    for (const { stop } of this.#followed.values()) stop.abort()
    this.#followed.clear()
    await Promise.all(this.#running)
  }

  #drop(id: string, user: string): void {
    const followed = this.#followed.get(id)
    followed?.users.delete(user)
    if (followed === undefined || followed.users.size > 0) return
    followed.stop.abort()
    this.#followed.delete(id)
    this.#leave(followed)
  }

  #follow(ref: NamedRef): Followed {
    const id = idOf(ref)
    const before = this.#followed.get(id)
    if (before !== undefined) return before
    const followed: Followed = {
      ref,
      users: new Set(),
      stop: new AbortController(),
      sinceMs: this.#options.clock.monotonic(),
      isWatched: false,
      known: undefined,
      told: undefined,
    }
    this.#followed.set(id, followed)
    this.#crowdOf(ref).named += 1
    const running = this.#run(followed).finally(() => this.#running.delete(running))
    this.#running.add(running)
    return followed
  }

  #run(followed: Followed): Promise<void> {
    const { client, clock, resource } = this.#options
    const { namespace, name } = followed.ref
    const watch = new ListWatch({
      client,
      query: { resource, namespace, fieldSelector: `metadata.name=${name}` },
      clock,
      listAgainMs: () => this.#lookAgainMs(followed),
      onList: ([object]) => {
        followed.told = undefined
        this.#learn(followed, object === undefined ? { kind: 'absent' } : presentOf(object))
      },
      onChange: (object) => this.#learn(followed, presentOf(object)),
      onDelete: () => this.#learn(followed, { kind: 'absent' }),
      onOpen: () => {
        followed.told = undefined
      },
      onError: (error) => this.#failed(followed, error),
    })
    return watch.run(followed.stop.signal)
  }

  #crowdOf({ namespace }: NamedRef): Crowd {
    const crowd = this.#crowds.get(namespace) ?? { named: 0, watched: 0 }
    this.#crowds.set(namespace, crowd)
    return crowd
  }

  #leave({ ref, isWatched }: Followed): void {
    const crowd = this.#crowdOf(ref)
    crowd.named -= 1
    if (isWatched) crowd.watched -= 1
    if (crowd.named === 0) this.#crowds.delete(ref.namespace)
  }

  /** undefined = it has a watch, from now on perhaps. */
  #lookAgainMs(followed: Followed): number | undefined {
    if (followed.isWatched || followed.stop.signal.aborted) return undefined
    const crowd = this.#crowdOf(followed.ref)
    if (crowd.watched >= MAX_WATCHES) return Math.max(LOOK_MS, crowd.named * LOOK_EACH_MS)
    followed.isWatched = true
    crowd.watched += 1
    return undefined
  }

  #learn(followed: Followed, known: NamedObject): void {
    if (isDeepStrictEqual(followed.known, known)) return
    followed.known = known
    for (const user of followed.users) this.#options.onChange(user)
  }

  #failed(followed: Followed, error: KubeError): void {
    const { message } = error
    if (isForbidden(error)) this.#learn(followed, { kind: 'forbidden', message })
    else if (this.#isUnreadable(followed, error)) this.#learn(followed, { kind: 'unreadable', message })
    if (followed.told === message || isForbidden(error)) return
    followed.told = message
    const { resource, logger } = this.#options
    logger.warn({ resource: resource.plural, ...followed.ref, err: error }, 'cannot follow an object; trying again')
  }

  /** What was read once counts on while the API is away; who waits long for a first answer is told why there is none. */
  #isUnreadable({ known, sinceMs }: Followed, { code }: KubeError): boolean {
    if (known !== undefined) return known.kind === 'unreadable'
    return code === 'KubeNotFound' || this.#options.clock.monotonic() - sinceMs >= PATIENCE_MS
  }
}

function idOf({ namespace, name }: NamedRef): string {
  return `${namespace}/${name}`
}

function presentOf({ data }: KubeObject): NamedObject {
  return { kind: 'present', data: new Map(Object.entries((data ?? {}) as Readonly<Record<string, string>>)) }
}
