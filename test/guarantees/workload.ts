import { setTimeout as sleep } from 'node:timers/promises'
import { OPERATIONS, Values } from './operations.ts'
import type { Random } from './random.ts'
import type { StoreWriter } from './store-writer.ts'

const WRITERS = 2
const LONGEST_PAUSE_MS = 25
/** After a failure: the store is away, frozen or full. */
const FAILURE_PAUSE_MS = 100

/** Random writes, several at once, until it is stopped. */
export class Workload implements AsyncDisposable {
  readonly #writer: StoreWriter
  readonly #values = new Values('of the workload')
  readonly #stop = new AbortController()
  readonly #loops: readonly Promise<void>[]
  #running = 0
  #isPaused = false
  #acknowledged = 0
  #unknown = 0

  /** Begins at once. */
  constructor(writer: StoreWriter, random: Random) {
    this.#writer = writer
    this.#loops = Array.from({ length: WRITERS }, (_, index) => this.#write(random.fork(`writer ${index}`)))
  }

  /** Operations that etcd acknowledged. */
  get acknowledged(): number {
    return this.#acknowledged
  }

  /** Operations whose outcome the writer never heard. */
  get unknown(): number {
    return this.#unknown
  }

  /** Runs `work` while nothing is written: what was on its way has ended before. */
  async whilePaused<T>(work: () => Promise<T>): Promise<T> {
    this.#isPaused = true
    try {
      while (this.#running > 0) await sleep(5)
      return await work()
    } finally {
      this.#isPaused = false
    }
  }

  /** For good; resolves when nothing is on its way any more. */
  async stop(): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#loops)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #write(random: Random): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const operation = random.weighted(OPERATIONS)
      if (!this.#isPaused) await this.#run(() => operation.run(this.#writer, random, this.#values))
      await sleep(random.int(0, LONGEST_PAUSE_MS))
    }
  }

  async #run(operation: () => Promise<void>): Promise<void> {
    this.#running += 1
    try {
      await operation()
      this.#acknowledged += 1
    } catch {
      this.#unknown += 1
      await sleep(FAILURE_PAUSE_MS)
    } finally {
      this.#running -= 1
    }
  }
}
