/**
 * The items of batches, one by one. By hand, because an async generator costs more for each item than decoding it does.
 * Throws the signal's reason as soon as it is aborted, whatever waits to be taken. `next` may be called before the last
 * one has resolved.
 */
export class FlatIterator<Item> implements AsyncIterableIterator<Item, undefined> {
  readonly #batches: AsyncGenerator<readonly Item[]>
  readonly #signal: AbortSignal
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
    if (this.#waiting === undefined && this.#at < this.#batch.length && !this.#signal.aborted) {
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
    while (this.#at >= this.#batch.length) {
      const { value, done } = await this.#batches.next()
      if (done === true) return { value: undefined, done: true }
      this.#batch = value
      this.#at = 0
    }
    return { value: this.#batch[this.#at++] as Item, done: false }
  }
}
