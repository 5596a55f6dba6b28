/** What to run once there is a connection: at once when there is one, else in the order of registration when there is. */
export class ConnectCallbacks {
  #waiting: { readonly run: () => Promise<void>; readonly reject: (error: unknown) => void }[] | undefined = []
  #refusal: unknown

  /** Rejects with what the callback throws, and with what keeps it from ever running. */
  async add(callback: () => Promise<void> | void): Promise<void> {
    if (this.#refusal !== undefined) throw this.#refusal
    if (this.#waiting === undefined) return await callback()
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    const run = async () => {
      try {
        resolve(await callback())
      } catch (error) {
        reject(error)
      }
    }
    this.#waiting.push({ run, reject })
    await promise
  }

  /**
   * There is a connection: runs who waits, one after the other, and from now on everybody at once. Resolves with how many
   * had waited, whatever became of them.
   */
  async connected(): Promise<number> {
    const waiting = this.#waiting ?? []
    // First: a callback may register another one, and wait for it.
    this.#waiting = undefined
    for (const { run } of waiting) await run()
    return waiting.length
  }

  /** There never will be one (any more). */
  refuse(error: unknown): void {
    this.#refusal = error
    for (const { reject } of this.#waiting?.splice(0) ?? []) reject(error)
  }
}
