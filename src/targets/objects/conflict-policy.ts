import type { KubeErrorCause } from '../../kube/kube-error.ts'
import type { KubeObject } from '../../kube/kube-object.ts'

/** Somebody who changes the same fields so often does not edit by hand. */
const MAX_TAKEOVERS = 3
const WINDOW_MS = 600_000

/**
 * Whether fields that others hold may be taken back. Who wrote them once (`kubectl edit`, operation Update) has made a
 * drift: it is repaired. Who holds to them (server-side apply), or writes them again and again, has a claim: no fight.
 */
export class ConflictPolicy {
  readonly #monotonic: () => number
  readonly #takeovers = new Map<string, readonly number[]>()

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  /** undefined = they may be taken, and that is counted; else who holds to them. */
  claimant(live: KubeObject, held: readonly KubeErrorCause[]): string | undefined {
    const managers = [...new Set(held.map(({ manager = 'unknown' }) => manager))]
    const appliers = new Set(
      (live.metadata.managedFields ?? [])
        .filter(({ operation }) => operation === 'Apply')
        .map(({ manager }) => manager ?? ''),
    )
    const claimant = managers.find((manager) => appliers.has(manager) || this.#recent(manager).length >= MAX_TAKEOVERS)
    if (claimant !== undefined) return claimant
    for (const manager of managers) this.#takeovers.set(manager, [...this.#recent(manager), this.#monotonic()])
    return undefined
  }

  #recent(manager: string): readonly number[] {
    const since = this.#monotonic() - WINDOW_MS
    return (this.#takeovers.get(manager) ?? []).filter((at) => at >= since)
  }
}
