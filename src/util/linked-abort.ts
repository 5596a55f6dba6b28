/**
 * An abort of one's own that comes with that of `parent` as well, for the same reason. Dispose of it when nobody waits any
 * more. `AbortSignal.any` does the same, but each of its signals takes a kilobyte and stays with its sources until a
 * garbage collection: too much for every request, and for each of thousands of mirrors.
 */
export class LinkedAbort implements Disposable {
  readonly #own = new AbortController()
  readonly #parent: AbortSignal
  readonly #follow = () => this.#own.abort(this.#parent.reason)

  constructor(parent: AbortSignal) {
    this.#parent = parent
    if (parent.aborted) this.#follow()
    else parent.addEventListener('abort', this.#follow, { once: true })
  }

  get signal(): AbortSignal {
    return this.#own.signal
  }

  /** Leaves the parent as it is. */
  abort(reason?: unknown): void {
    this.#own.abort(reason)
  }

  /** The parent is followed no longer; the signal does not abort by this. Idempotent. */
  [Symbol.dispose](): void {
    this.#parent.removeEventListener('abort', this.#follow)
  }
}
