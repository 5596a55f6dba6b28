import { Backoff } from '../util/backoff.ts'
import type { Clock } from '../util/clock.ts'
import type { KubeClient, ListQuery } from './kube-client.ts'
import { KubeError, type KubeErrorCode } from './kube-error.ts'
import { asKubeObject, type KubeObject } from './kube-object.ts'
import { errorOfAnswer } from './kube-status.ts'

/** A watch lives between so long and twice as long, so that a fleet does not renew at once. */
const WATCH_SECONDS = 300
const LISTS_AGAIN: ReadonlySet<KubeErrorCode> = new Set(['KubeGone', 'KubeDenied', 'KubeNotFound'])

export interface ListWatchOptions {
  readonly client: KubeClient
  readonly query: ListQuery
  readonly clock: Clock
  /** Of a list that the caller has made: begin to watch there. Default: list first. */
  readonly resourceVersion?: string
  /** Asked after each list. Milliseconds: no watch, list again after so long. Default, and undefined: a watch. */
  readonly listAgainMs?: () => number | undefined
  /** Everything there is, after each list. What was known before that version and is not in it is gone. */
  readonly onList: (objects: readonly KubeObject[], resourceVersion: string) => void
  readonly onChange: (object: KubeObject) => void
  readonly onDelete: (object: KubeObject) => void
  /** The watch is open, again perhaps. */
  readonly onOpen?: () => void
  /** The list or the watch failed; it is tried again. */
  readonly onError?: (error: KubeError) => void
}

/**
 * Follows a collection of objects for as long as the signal lets it: list, watch with bookmarks, and whenever the watch
 * ends go on from where it was; after 410 Gone or a refusal list again. What is called must not throw.
 */
export class ListWatch {
  readonly #options: ListWatchOptions
  readonly #backoff = new Backoff({ firstMs: 200, maxMs: 15_000 })
  /** Where the watch goes on; undefined = a list is needed. */
  #resourceVersion: string | undefined

  constructor(options: ListWatchOptions) {
    this.#options = options
    this.#resourceVersion = options.resourceVersion
  }

  /** Runs until the signal aborts; does not reject. */
  async run(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      try {
        this.#resourceVersion ??= await this.#list(signal)
        const againMs = this.#options.listAgainMs?.()
        if (againMs === undefined) await this.#watch(this.#resourceVersion, signal)
        else await this.#waitForList(againMs, signal)
      } catch (error) {
        if (signal.aborted) return
        await this.#pause(this.#failed(error), signal)
      }
    }
  }

  #failed(error: unknown): KubeError {
    const failure = error instanceof KubeError ? error : this.#unreadable(error)
    // What is there once it may be read again is to be told at once.
    if (LISTS_AGAIN.has(failure.code)) this.#resourceVersion = undefined
    if (failure.code !== 'KubeGone') this.#options.onError?.(failure)
    return failure
  }

  async #list(signal: AbortSignal): Promise<string> {
    const { client, query, onList } = this.#options
    const objects: KubeObject[] = []
    let resourceVersion = ''
    for await (const page of client.list(query, signal)) {
      objects.push(...page.items)
      resourceVersion = page.resourceVersion
    }
    onList(objects, resourceVersion)
    return resourceVersion
  }

  async #waitForList(ms: number, signal: AbortSignal): Promise<void> {
    this.#backoff.reset()
    this.#resourceVersion = undefined
    await this.#options.clock.sleep(ms * (1 + Math.random() / 10), signal)
  }

  async #watch(resourceVersion: string, signal: AbortSignal): Promise<void> {
    const { client, query, clock, onOpen } = this.#options
    const timeoutSeconds = Math.round(WATCH_SECONDS * (1 + Math.random()))
    let isSilent = true
    for await (const line of client.watch(query, { resourceVersion, timeoutSeconds, onOpen }, signal)) {
      this.#handle(line)
      this.#backoff.reset()
      isSilent = false
    }
    // Something in between may end every watch at once.
    if (isSilent) await clock.sleep(this.#backoff.nextMs(), signal)
  }

  #handle(line: string): void {
    const { onChange, onDelete, query } = this.#options
    const { type, object } = JSON.parse(line) as { readonly type?: string; readonly object?: unknown }
    if (type === 'ERROR') {
      const { code = 500 } = object as { readonly code?: number }
      const answer = { status: code, retryAfter: undefined, body: JSON.stringify(object) }
      throw errorOfAnswer(`watch ${query.resource.plural}`, answer)
    }
    const known = asKubeObject(object)
    if (known === undefined) return
    if (type === 'ADDED' || type === 'MODIFIED') onChange(known)
    else if (type === 'DELETED') onDelete(known)
    this.#resourceVersion = known.metadata.resourceVersion ?? this.#resourceVersion
  }

  /** As what a proxy in between answers. */
  #unreadable(cause: unknown): KubeError {
    const { plural } = this.#options.query.resource
    return new KubeError('KubeUnavailable', `Cannot watch ${plural}: the answer cannot be read`, { cause })
  }

  async #pause({ code, retryAfterMs = 0 }: KubeError, signal: AbortSignal): Promise<void> {
    const waitMs = code === 'KubeGone' ? 0 : this.#backoff.nextMs()
    await this.#options.clock.sleep(Math.max(waitMs, retryAfterMs), signal).catch(() => undefined)
  }
}
