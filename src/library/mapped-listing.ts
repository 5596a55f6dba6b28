import type { Listing } from './key-value-broker.ts'

/** A `Listing` of what a function makes of the items of another one. */
export class MappedListing<From, To> implements Listing<To> {
  readonly #source: Listing<From>
  readonly #map: (item: From) => To

  constructor(source: Listing<From>, map: (item: From) => To) {
    this.#source = source
    this.#map = map
  }

  async revision(): Promise<number> {
    return await this.#source.revision()
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<To> {
    for await (const item of this.#source) yield this.#map(item)
  }
}
