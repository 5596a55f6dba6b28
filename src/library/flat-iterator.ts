/**
 * The items of batches, one by one. By hand, because an async generator costs more for each item than decoding it does.
 * Throws the signal's reason as soon as it is aborted, whatever waits to be taken. `next` may be called before the last
 * one has resolved.
 */
export class FlatIterator<Item> implements AsyncIterableIterator<Item, undefined> {
  readonly #batches: AsyncGenerator<readonly Item[]>
  readonly #signal: AbortSignal
  /** As `signal.aborted`, which a combined signal has to ask its sources for: too much for each item. */
  #aborted = false
  #listening = false
  #batch: readonly Item[] = []
  #at = 0
  /** Calls of `next` that wait for a batch; undefined = none. */
  #waiting: Promise<unknown> | undefined

  constructor(batches: AsyncGenerator<readonly Item[]>, signal: AbortSignal) {
    this.#batches = batches
    this.#signal = signal
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    if (this.#waiting === undefined && this.#at < this.#batch.length && !this.#aborted) {
      return Promise.resolve({ value: this.#batch[this.#at++] as Item, done: false })
    }
    const result = this.#waiting === undefined ? this.#take() : this.#waiting.then(() => this.#take())
    const waiting: Promise<void> = result.then(
      () => this.#settled(waiting),
      () => this.#settled(waiting),
    )
    this.#waiting = waiting
    return result
  }

  async return(): Promise<IteratorResult<Item, undefined>> {
    this.#unlisten()
    this.#batch = []
    await this.#batches.return(undefined)
    return { value: undefined, done: true }
  }

  #settled(waiting: Promise<unknown>): void {
    if (this.#waiting === waiting) this.#waiting = undefined
  }

  async #take(): Promise<IteratorResult<Item, undefined>> {
    if (this.#signal.aborted) {
      await this.return()
      throw this.#signal.reason
    }
    this.#listen()
    while (this.#at >= this.#batch.length) {
      const { value, done } = await this.#nextBatch()
      if (done === true) return { value: undefined, done: true }
      this.#batch = value
      this.#at = 0
    }
    return { value: this.#batch[this.#at++] as Item, done: false }
  }

  async #nextBatch(): Promise<IteratorResult<readonly Item[], undefined>> {
    try {
      const result = await this.#batches.next()
      if (result.done === true) this.#unlisten()
      return result
    } catch (error) {
      this.#unlisten()
      throw error
    }
  }

  readonly #abort = (): void => {
    this.#aborted = true
  }

  #listen(): void {
    if (this.#listening) return
    this.#listening = true
    this.#signal.addEventListener('abort', this.#abort, { once: true })
  }

  #unlisten(): void {
    this.#signal.removeEventListener('abort', this.#abort)
  }
}
