import { SinkError } from '../../mirror/sink-error.ts'
import type { Logger } from '../../util/logger.ts'
import { toSinkError } from './file-error.ts'

/** What keeps background work from being done: each new reason is logged once, until work of that name is done again. */
export class BackgroundFaults {
  readonly #logger: Logger
  readonly #mirrorName: string
  readonly #root: string
  /** By the name of the work. */
  readonly #reasons = new Map<string, string>()

  constructor(logger: Logger, mirrorName: string, root: string) {
    this.#logger = logger
    this.#mirrorName = mirrorName
    this.#root = root
  }

  /** `task`: as in "copy a tree". */
  failed(task: string, error: unknown): void {
    const failure = toSinkError(error, this.#root, `${task} below`)
    const reason = failure instanceof SinkError ? failure.code : 'Internal'
    const level = this.#reasons.get(task) === reason ? 'debug' : 'warn'
    this.#reasons.set(task, reason)
    this.#logger[level]({ mirror: this.#mirrorName, task, err: failure }, 'background work on files failed')
  }

  done(task: string): void {
    this.#reasons.delete(task)
  }
}
