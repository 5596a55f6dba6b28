import { type AcceptedConfig, writeAcceptedConfig } from '../config/accepted-config.ts'
import type { Logger } from '../util/logger.ts'

/** Keeps the configuration in use below every root that is ours, for a restart with a broken one. */
export class AcceptedCopies {
  readonly #logger: Logger
  readonly #roots = new Set<string>()
  #accepted: AcceptedConfig

  constructor(accepted: AcceptedConfig, logger: Logger) {
    this.#accepted = accepted
    this.#logger = logger
  }

  /** Another configuration is in use from now on. */
  accept(accepted: AcceptedConfig): void {
    this.#accepted = accepted
    for (const root of this.#roots) this.#write(root)
  }

  /** A mirror has opened this root: it is ours to write to. Cheap when the copy stands there already. */
  opened(root: string): void {
    this.#roots.add(root)
    this.#write(root)
  }

  /** Nothing is written below this root any more; what stands there stays. */
  released(root: string): void {
    this.#roots.delete(root)
  }

  #write(root: string): void {
    try {
      writeAcceptedConfig(root, this.#accepted)
    } catch (err) {
      // The mirror itself reports a target that cannot be written.
      this.#logger.warn({ root, err }, 'cannot keep the accepted configuration')
    }
  }
}
