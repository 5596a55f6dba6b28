import type { WatchResponse } from '../etcd/messages.ts'
import { UnavailableError } from '../etcd/unavailable-error.ts'
import { Notifier } from '../util/notifier.ts'

/** What one watch may hold back for a consumer that is slower than etcd. */
const LIMIT_BYTES = 32 * 1024 * 1024

/** Responses of one watch between a shared stream, which never waits, and the consumer. */
export class WatchQueue {
  readonly #limitBytes: number
  readonly #changed = new Notifier()
  #responses: WatchResponse[] = []
  #bytes = 0
  #end: { readonly error: unknown } | undefined

  constructor(limitBytes = LIMIT_BYTES) {
    this.#limitBytes = limitBytes
  }

  /** false = the queue is full: this response and all later ones are dropped, and the reader is told once it got there. */
  push(response: WatchResponse): boolean {
    if (this.#end !== undefined) return false
    if (this.#bytes > this.#limitBytes) {
      this.fail(new UnavailableError('Unavailable', 'Cannot hold more events: they were not taken fast enough'))
      return false
    }
    this.#responses.push(response)
    this.#bytes += sizeOf(response)
    this.#changed.notify()
    return true
  }

  /** The reader gets `error` behind what is queued; undefined = it just ends. */
  fail(error: unknown): void {
    this.#end ??= { error }
    this.#changed.notify()
  }

  /** Ends by `fail`, or by throwing the signal's reason. Single use. */
  async *read(signal: AbortSignal): AsyncGenerator<WatchResponse> {
    // One listener for all waits: listening for each would cost more than what is waited for.
    const wake = () => this.#changed.notify()
    signal.addEventListener('abort', wake)
    try {
      for (;;) {
        signal.throwIfAborted()
        const { changed } = this.#changed
        const taken = this.#responses
        this.#responses = []
        this.#bytes = 0
        for (const response of taken) yield response
        if (taken.length > 0) continue
        if (this.#end?.error !== undefined) throw this.#end.error
        if (this.#end) return
        await changed
      }
    } finally {
      signal.removeEventListener('abort', wake)
    }
  }
}

function sizeOf({ events }: WatchResponse): number {
  let bytes = 0
  for (const { kv, prevKv } of events) bytes += kv.key.length + kv.value.length + (prevKv?.value.length ?? 0) + 100
  return bytes
}
