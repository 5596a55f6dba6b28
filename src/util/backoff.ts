export interface BackoffOptions {
  /** Upper bound of the first wait, milliseconds. Default 100. */
  readonly firstMs?: number
  /** Upper bound of every wait, milliseconds. Default 5,000. */
  readonly maxMs?: number
  /** 0 ≤ x < 1; injected in tests. Default Math.random. */
  readonly random?: () => number
}

/**
 * Exponential backoff with full jitter: the n-th wait is uniform in [0, min(max, first × 2ⁿ)).
 * Full jitter spreads a fleet that lost the same etcd
 * (https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/).
 */
export class Backoff {
  readonly #firstMs: number
  readonly #maxMs: number
  readonly #random: () => number
  #attempt = 0

  constructor({ firstMs = 100, maxMs = 5000, random = Math.random }: BackoffOptions = {}) {
    this.#firstMs = firstMs
    this.#maxMs = maxMs
    this.#random = random
  }

  /** How many waits were handed out since the last reset. */
  get attempt(): number {
    return this.#attempt
  }

  /** The next wait in milliseconds. */
  nextMs(): number {
    const bound = Math.min(this.#maxMs, this.#firstMs * 2 ** Math.min(this.#attempt, 30))
    this.#attempt += 1
    return this.#random() * bound
  }

  /** Health was seen: the next failure starts from the first wait again. */
  reset(): void {
    this.#attempt = 0
  }
}
