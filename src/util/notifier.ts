import { abortable } from './abortable.ts'
import type { Clock } from './clock.ts'
import { LinkedAbort } from './linked-abort.ts'

/** Lets tasks wait for "something changed". A notification between two waits is not lost: `wait` takes what was seen. */
export class Notifier {
  #version = 0
  #waiting = Promise.withResolvers<void>()

  get version(): number {
    return this.#version
  }

  /** Resolves with the next notification. */
  get changed(): Promise<void> {
    return this.#waiting.promise
  }

  notify(): void {
    this.#version += 1
    this.#waiting.resolve()
    this.#waiting = Promise.withResolvers<void>()
  }

  /** Resolves once the version differs from `seen`; rejects with the abort reason. */
  async wait(seen: number, signal: AbortSignal): Promise<void> {
    if (this.#version === seen) await abortable(this.#waiting.promise, signal)
    signal.throwIfAborted()
  }

  /** As `wait`, for so many milliseconds at most; resolves with whether the version differs from `seen`. */
  async waitAtMost(
    ms: number,
    seen: number,
    { clock, signal }: { readonly clock: Clock; readonly signal: AbortSignal },
  ): Promise<boolean> {
    using done = new LinkedAbort(signal)
    try {
      await Promise.race([this.wait(seen, done.signal), clock.sleep(ms, done.signal)])
      return this.#version !== seen
    } finally {
      done.abort()
    }
  }
}
