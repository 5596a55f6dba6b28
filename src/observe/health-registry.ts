/** live: the process works · ready: it does what it is there for · startup: it did once. */
export type HealthKind = 'live' | 'ready' | 'startup'

export interface HealthResult {
  readonly ok: boolean
  /** Why, in a few words. */
  readonly message: string
}

export interface HealthCheck {
  readonly name: string
  readonly kind: HealthKind
  /** Synchronous and cheap: it only reads what is known already. */
  check(): HealthResult
}

/** The checks behind the probes. One registry, several views. */
export class HealthRegistry {
  readonly #checks = new Set<HealthCheck>()

  /** Returns what takes the check out again. */
  add(check: HealthCheck): () => void {
    this.#checks.add(check)
    return () => this.#checks.delete(check)
  }

  /** Results in the order of registration; a check that throws is a failed one. */
  results(kind: HealthKind): readonly (HealthResult & { readonly name: string })[] {
    return [...this.#checks]
      .filter((check) => check.kind === kind)
      .map((check) => ({ name: check.name, ...run(check) }))
  }
}

function run(check: HealthCheck): HealthResult {
  try {
    return check.check()
  } catch (error) {
    return { ok: false, message: `check failed: ${error instanceof Error ? error.message : 'unknown'}` }
  }
}
