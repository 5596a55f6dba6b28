import { fork } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import type { DataSet } from './data-set.ts'
import type { ObserverSpec } from './observer.ts'

export type Pattern =
  /** Single puts at even distances, whether or not the ones before are answered. */
  | { readonly kind: 'rate'; readonly perSecond: number; readonly count: number }
  /** Single puts as fast as `writers` at once get them through. */
  | { readonly kind: 'puts'; readonly count: number; readonly writers: number }
  /** One transaction of `size` puts after the other. */
  | { readonly kind: 'txns'; readonly count: number; readonly size: number }

export interface LoadSetup {
  readonly endpoint: string
  readonly data: DataSet
  readonly observer: ObserverSpec
}

export interface LoadReport {
  /** Acknowledged → visible: of every put at a rate, else of the last revision. */
  readonly latenciesMs: readonly number[]
  /** First put sent → last revision visible. */
  readonly totalMs: number
  readonly afterLastAckMs: number
  /** First put sent → last one acknowledged. */
  readonly writeMs: number
}

/** A process that writes and observes. Disposing of it ends it. */
export class LoadDriver implements AsyncDisposable {
  readonly #child

  static async start(setup: LoadSetup): Promise<LoadDriver> {
    const driver = new LoadDriver()
    driver.#child.send(setup)
    await driver.#answer()
    return driver
  }

  private constructor() {
    this.#child = fork(join(import.meta.dirname, 'load-process.ts'), { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] })
    process.prependOnceListener('exit', () => this.#child.kill('SIGKILL'))
  }

  async play(pattern: Pattern): Promise<LoadReport> {
    this.#child.send(pattern)
    return (await this.#answer()) as LoadReport
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#child.connected) return
    const ended = once(this.#child, 'exit')
    this.#child.disconnect()
    await ended
  }

  async #answer(): Promise<unknown> {
    const ended = new AbortController()
    const end = once(this.#child, 'exit', { signal: ended.signal }).then(() => {
      throw new Error('The load process ended by itself')
    })
    try {
      const [message] = (await Promise.race([once(this.#child, 'message', { signal: ended.signal }), end])) as [unknown]
      return message
    } finally {
      end.catch(() => undefined)
      ended.abort()
    }
  }
}
