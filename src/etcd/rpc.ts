import type { WatchCreateRequest, WatchResponse } from './messages.ts'
import type { RequestOf, ResponseOf, UnaryMethod } from './methods.ts'

export interface CallOptions {
  readonly signal: AbortSignal
  /** Deadline of the whole call, over all endpoints it tries. Default: the connection's operation-timeout. */
  readonly timeoutMs?: number
}

/**
 * etcd's API, as narrow as this project needs it, so that another client can stand behind it.
 *
 * Errors are translated: `UnavailableError`, `AuthError`, `CompactedError` or `EtcdMirrorError`; the abort reason is
 * rethrown as it is.
 */
export interface EtcdRpc {
  /**
   * One call. Reads go on to the next endpoint while the deadline allows; a write is tried again only when it is certain
   * that it was never sent.
   */
  unary<Method extends UnaryMethod>(
    method: Method,
    request: RequestOf<Method>,
    options: CallOptions,
  ): Promise<ResponseOf<Method>>
  /** Opens one watch stream, on a connection of its own. It ends when the signal aborts. */
  watch(options: { readonly signal: AbortSignal }): Promise<WatchDuplex>
}

/** A watch stream. It may carry several watches: `watchId` of the responses tells them apart. */
export interface WatchDuplex {
  /** Ends without error only after `close`; every other end throws. */
  readonly responses: AsyncIterable<WatchResponse>
  /** The answers (`created`) come in the order of these requests. */
  create(request: WatchCreateRequest): void
  /** Ends one watch of the stream; events that are on their way still come. */
  cancel(watchId: number): void
  /** Asks for a progress answer; older servers answer too early (etcd-io/etcd#15220). */
  requestProgress(): void
  close(): void
}
