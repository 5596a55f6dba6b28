import { isCompleteVersion, readServerVersion } from '../replication/server-version.ts'
import type { Operations } from './operations.ts'

/** Whether the server's word about progress counts, asked when it first matters: old versions give it too early. */
export class ServerTrust {
  readonly #operations: Operations
  #known: Promise<boolean> | undefined

  constructor(operations: Operations) {
    this.#operations = operations
  }

  /** false = not, or not known. Never rejects. */
  trustsProgress(): Promise<boolean> {
    this.#known ??= this.#ask()
    return this.#known
  }

  async #ask(): Promise<boolean> {
    try {
      return isCompleteVersion(await readServerVersion(this.#operations.rpc, this.#operations.callOptions()))
    } catch {
      this.#known = undefined
      return false
    }
  }
}
