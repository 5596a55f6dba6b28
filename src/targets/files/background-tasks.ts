import type { BackgroundFaults } from './background-faults.ts'

/** Owner of work that nobody waits for: it is stopped and awaited as one. */
export class BackgroundTasks {
  readonly #abort = new AbortController()
  readonly #running = new Set<Promise<void>>()
  readonly #faults: BackgroundFaults

  constructor(faults: BackgroundFaults) {
    this.#faults = faults
  }

  /**
   * Starts `task` at once. Resolves and rejects as the task does, for those who want to know; a failure is reported in
   * any case, and what was left behind is cleaned up when the target is opened again.
   */
  run(name: string, task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    const running = this.#start(task)
    const settled = running.then(
      () => this.#faults.done(name),
      (error: unknown) => this.#report(name, error),
    )
    this.#running.add(settled)
    settled.then(() => this.#running.delete(settled))
    return running
  }

  /** Idempotent. Resolves once nothing runs any more. */
  async stop(): Promise<void> {
    this.#abort.abort()
    while (this.#running.size > 0) await Promise.all(this.#running)
  }

  async #start(task: (signal: AbortSignal) => Promise<void>): Promise<void> {
    this.#abort.signal.throwIfAborted()
    await task(this.#abort.signal)
  }

  #report(name: string, error: unknown): void {
    if (!this.#abort.signal.aborted) this.#faults.failed(name, error)
  }
}
