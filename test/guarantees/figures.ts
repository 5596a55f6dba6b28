import type { RoundReport } from './round-report.ts'

/** What rounds came to, together. */
export class Figures {
  #rounds = 0
  #faults = 0
  #revisions = 0
  #publishes = 0
  #reads = 0
  #violations = 0

  get violations(): number {
    return this.#violations
  }

  add({ faults, revisions, publishes, reads, violations }: RoundReport): void {
    this.#rounds += 1
    this.#faults += [...faults.values()].reduce((sum, times) => sum + times, 0)
    this.#revisions += revisions
    this.#publishes += publishes
    this.#reads += reads
    this.#violations += violations.length
  }

  /** A round that could not be played to its end: nothing is known of it, so it counts against us. */
  addBroken(): void {
    this.#rounds += 1
    this.#violations += 1
  }

  toString(): string {
    return [
      `${this.#rounds} rounds`,
      `${this.#faults} faults`,
      `${this.#revisions} revisions`,
      `${this.#publishes} publishes`,
      `${this.#reads} reads checked`,
      `${this.#violations} violations`,
    ].join(', ')
  }
}
