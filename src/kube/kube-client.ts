import type { Clock } from '../util/clock.ts'
import { systemClock } from '../util/clock.ts'
import { LinkedAbort } from '../util/linked-abort.ts'
import type { Metrics } from '../util/metrics.ts'
import { noMetrics } from '../util/metrics.ts'
import { Semaphore } from '../util/semaphore.ts'
import type { KubeCredentials } from './kube-credentials.ts'
import { KubeError } from './kube-error.ts'
import { asKubeObject, type KubeObject } from './kube-object.ts'
import { apiVersionOf, type KubeResource, LEASES, resourcePath } from './kube-resource.ts'
import { errorOfAnswer } from './kube-status.ts'
import { type KubeRequest, KubeTransport } from './kube-transport.ts'
import type { WholeAnswer } from './whole-answer.ts'

/** Beyond the longest admission webhook (30 s). */
const CALL_MS = 40_000
const MAX_IN_FLIGHT = 16
const MAX_TRIES = 5
const MAX_RETRY_AFTER_MS = 30_000
const PAGE = 500
/** Of no object: the first write to a cluster's store has revision 2. As a precondition it says "must not exist". */
const NO_RESOURCE_VERSION = '1'

export interface KubeClientOptions {
  readonly credentials: KubeCredentials
  readonly userAgent: string
  readonly clock?: Clock
  readonly metrics?: Metrics
}

/** One object, by name. */
export interface ObjectRef {
  readonly resource: KubeResource
  /** undefined = it belongs to the cluster. */
  readonly namespace: string | undefined
  readonly name: string
}

export interface ListQuery {
  readonly resource: KubeResource
  readonly namespace: string | undefined
  readonly labelSelector?: string | undefined
  readonly fieldSelector?: string | undefined
}

export interface ListPage {
  readonly items: readonly KubeObject[]
  /** Where a watch goes on from once all pages are read. */
  readonly resourceVersion: string
}

export interface WatchOptions {
  /** What is known already. */
  readonly resourceVersion: string
  /** When the server ends it at the latest. */
  readonly timeoutSeconds: number
  /** The server has accepted it. */
  readonly onOpen?: (() => void) | undefined
}

export interface WriteContext {
  readonly signal: AbortSignal
  readonly fieldManager: string
}

export interface ApplyContext extends WriteContext {
  /** What the object must still be; `absent`: there must be none. */
  readonly expected: KubeObject | 'absent'
  /** Take fields over that others hold. Default: then nothing is written. */
  readonly force?: boolean
}

/**
 * The requests that the mirror makes to the Kubernetes API. All reject with `KubeError` and with the abort reason. Where
 * the server says when to ask again (429, 503), that is done here; other failures are for the caller to retry.
 */
export class KubeClient {
  readonly #transport: KubeTransport
  readonly #clock: Clock
  readonly #metrics: Metrics
  readonly #inFlight = new Semaphore(MAX_IN_FLIGHT)
  /** Who writes much must not lose by that the right to write: Leases do not wait behind everything else. */
  readonly #leases = new Semaphore(MAX_IN_FLIGHT)
  /** Of what is written when nobody names another. */
  readonly namespace: string

  constructor({ credentials, userAgent, clock = systemClock, metrics = noMetrics }: KubeClientOptions) {
    this.#transport = new KubeTransport(credentials, userAgent)
    this.#clock = clock
    this.#metrics = metrics
    this.namespace = credentials.namespace
  }

  /** undefined = there is none. */
  async get(ref: ObjectRef, signal: AbortSignal): Promise<KubeObject | undefined> {
    try {
      return await this.#object(`read ${nameOf(ref)}`, ref, { method: 'GET', path: pathOf(ref), signal })
    } catch (error) {
      if (error instanceof KubeError && error.code === 'KubeNotFound') return undefined
      throw error
    }
  }

  /** All objects, page by page. A KubeGone in between means: begin anew. */
  async *list(query: ListQuery, signal: AbortSignal): AsyncGenerator<ListPage> {
    let next = ''
    do {
      const path = listPath(query, { limit: String(PAGE), ...(next === '' ? {} : { continue: next }) })
      const json = await this.json(`list ${query.resource.plural}`, { method: 'GET', path, signal })
      const { items, metadata } = json as {
        items?: unknown[]
        metadata?: { continue?: string; resourceVersion?: string }
      }
      const objects = (items ?? []).map(asKubeObject).filter((item) => item !== undefined)
      yield { items: objects, resourceVersion: metadata?.resourceVersion ?? '' }
      next = metadata?.continue ?? ''
    } while (next !== '')
  }

  /** The lines of a watch as they come. Ends when the server ends it, which is often. */
  async *watch(
    query: ListQuery,
    { resourceVersion, timeoutSeconds, onOpen }: WatchOptions,
    signal: AbortSignal,
  ): AsyncGenerator<string> {
    const path = listPath(query, {
      watch: 'true',
      allowWatchBookmarks: 'true',
      resourceVersion,
      timeoutSeconds: String(timeoutSeconds),
    })
    const action = `watch ${query.resource.plural}`
    // Bookmarks come every minute: three of them missing is a dead connection.
    const response = await this.#transport.request({ method: 'GET', path, signal, idleMs: 180_000 })
    try {
      if (response.statusCode !== 200) throw failureOf(action, { ...response, body: await response.body.text() })
      onOpen?.()
      let rest = ''
      response.body.setEncoding('utf8')
      for await (const chunk of response.body) {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop() ?? ''
        yield* lines.filter((line) => line !== '')
      }
    } catch (error) {
      if (error instanceof KubeError) throw error
      throw this.#transport.unavailable(error, signal)
    } finally {
      response.body.destroy()
    }
  }

  /**
   * Server-side apply of all fields that are ours, in one request. Rejects with KubeConflict when the object is not
   * what was expected, or when others hold fields (`heldFields`).
   */
  async apply(ref: ObjectRef, object: KubeObject, context: ApplyContext): Promise<KubeObject> {
    const { signal, fieldManager, expected, force = false } = context
    const precondition =
      expected === 'absent'
        ? { resourceVersion: NO_RESOURCE_VERSION }
        : { uid: expected.metadata.uid, resourceVersion: expected.metadata.resourceVersion }
    const { kind } = ref.resource
    const metadata = { ...object.metadata, name: ref.name, ...precondition }
    const body = JSON.stringify({ ...object, apiVersion: apiVersionOf(ref.resource), kind, metadata })
    const query = new URLSearchParams({ fieldManager, force: String(force) })
    return await this.#object(`write ${nameOf(ref)}`, ref, {
      method: 'PATCH',
      path: `${pathOf(ref)}?${query}`,
      contentType: 'application/apply-patch+yaml',
      body,
      signal,
    })
  }

  /** Makes an object that must not exist. */
  async create(ref: ObjectRef, object: KubeObject, { signal, fieldManager }: WriteContext): Promise<KubeObject> {
    const path = `${resourcePath(ref.resource, ref.namespace)}?${new URLSearchParams({ fieldManager })}`
    return await this.#send('POST', `create ${nameOf(ref)}`, path, ref, object, signal)
  }

  /** Replaces an object, or with `subresource` `status` its status; its uid and resourceVersion must be in it. */
  async update(
    ref: ObjectRef,
    object: KubeObject,
    { signal, fieldManager, subresource }: WriteContext & { readonly subresource?: 'status' },
  ): Promise<KubeObject> {
    const within = subresource === undefined ? '' : `/${subresource}`
    const path = `${pathOf(ref)}${within}?${new URLSearchParams({ fieldManager })}`
    return await this.#send('PUT', `update ${nameOf(ref)}`, path, ref, object, signal)
  }

  /** Resolves as well when it is gone already. KubeConflict: it is not what was expected any more. */
  async delete(ref: ObjectRef, expected: KubeObject, signal: AbortSignal): Promise<void> {
    const { uid, resourceVersion } = expected.metadata
    const body = JSON.stringify({
      apiVersion: 'v1',
      kind: 'DeleteOptions',
      preconditions: { uid, resourceVersion },
      propagationPolicy: 'Background',
    })
    try {
      const request = { method: 'DELETE', path: pathOf(ref), contentType: 'application/json', body, signal } as const
      await this.json(`delete ${nameOf(ref)}`, request)
    } catch (error) {
      if (!(error instanceof KubeError && error.code === 'KubeNotFound')) throw error
    }
  }

  /** The JSON that answers a request; `action` is for errors. */
  async json(action: string, request: KubeRequest): Promise<unknown> {
    return await this.#answer(action, request, this.#inFlight)
  }

  /** Ends every request and watch. */
  async close(): Promise<void> {
    await this.#transport.close()
  }

  async #answer(action: string, request: KubeRequest, permits: Semaphore): Promise<unknown> {
    for (let attempt = 1; ; attempt++) {
      try {
        const answer = await permits.run(() => this.#once(action, request), request.signal)
        this.#count(request, 'ok')
        return answer
      } catch (error) {
        request.signal.throwIfAborted()
        if (!(error instanceof KubeError)) throw error
        this.#count(request, error.code)
        const { retryAfterMs } = error
        if (retryAfterMs === undefined || attempt === MAX_TRIES) throw error
        await this.#clock.sleep(Math.min(retryAfterMs * (1 + Math.random() / 2), MAX_RETRY_AFTER_MS), request.signal)
      }
    }
  }

  async #send(
    method: 'POST' | 'PUT',
    action: string,
    path: string,
    ref: ObjectRef,
    object: KubeObject,
    signal: AbortSignal,
  ): Promise<KubeObject> {
    const metadata = { ...object.metadata, name: ref.name }
    const { kind } = ref.resource
    const body = JSON.stringify({ ...object, apiVersion: apiVersionOf(ref.resource), kind, metadata })
    return await this.#object(action, ref, { method, path, contentType: 'application/json', body, signal })
  }

  async #object(action: string, { resource }: ObjectRef, request: KubeRequest): Promise<KubeObject> {
    const permits = resource === LEASES ? this.#leases : this.#inFlight
    const object = asKubeObject(await this.#answer(action, request, permits))
    if (object !== undefined) return object
    throw new KubeError('KubeUnavailable', `Cannot ${action}: the answer is no object of the Kubernetes API`)
  }

  async #once(action: string, request: KubeRequest): Promise<unknown> {
    using call = new LinkedAbort(request.signal)
    let isLate = false
    const deadline = setTimeout(() => {
      isLate = true
      call.abort()
    }, CALL_MS)
    try {
      const answer = await this.#transport.whole({ ...request, signal: call.signal })
      if (answer.statusCode >= 300) throw failureOf(action, answer)
      return JSON.parse(answer.body)
    } catch (error) {
      request.signal.throwIfAborted()
      if (error instanceof KubeError) throw error
      if (!isLate) throw this.#transport.unavailable(error, call.signal)
      throw new KubeError('KubeUnavailable', `Cannot ${action}: no answer within ${CALL_MS / 1000} s`)
    } finally {
      clearTimeout(deadline)
    }
  }

  #count({ method }: KubeRequest, result: string): void {
    this.#metrics.add('etcd_mirror_kube_requests_total', { method, result })
  }
}

/** `configmaps/app`, for people. */
export function nameOf({ resource, name }: ObjectRef): string {
  return `${resource.plural}/${name}`
}

function pathOf({ resource, namespace, name }: ObjectRef): string {
  return resourcePath(resource, namespace, name)
}

function listPath(query: ListQuery, parameters: Readonly<Record<string, string>>): string {
  const { resource, namespace, labelSelector, fieldSelector } = query
  const search = new URLSearchParams(parameters)
  if (labelSelector !== undefined) search.set('labelSelector', labelSelector)
  if (fieldSelector !== undefined) search.set('fieldSelector', fieldSelector)
  return `${resourcePath(resource, namespace)}?${search}`
}

function failureOf(action: string, { statusCode, headers, body }: WholeAnswer): KubeError {
  const retryAfter = headers['retry-after']
  return errorOfAnswer(action, {
    status: statusCode,
    retryAfter: Array.isArray(retryAfter) ? retryAfter[0] : retryAfter,
    body,
  })
}
