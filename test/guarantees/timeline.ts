import { History } from './history.ts'
import type { SettledHistory } from './settled-history.ts'

/** The histories of a store that was set back any number of times, oldest first; the last one goes on. */
export class Timeline {
  readonly #eras = [new History()]
  /** Where each era but the first begins. */
  readonly #forks: number[] = []

  get current(): History {
    return this.#eras.at(-1) as History
  }

  /** The store holds what it held at `revision`, and goes on from there. */
  wentBackTo(revision: number): void {
    this.#eras.push(this.current.forkAt(revision))
    this.#forks.push(revision)
  }

  /** To be called when nothing is written any more and the watch has seen everything. */
  settle(): readonly SettledHistory[] {
    return this.#eras.map((era) => era.settle())
  }

  /** How many revisions there were under the prefix, over all histories. */
  get revisionCount(): number {
    return this.settle().reduce(
      (sum, { revisions }, era) => sum + revisions.filter((revision) => revision > (this.#forks[era - 1] ?? 0)).length,
      0,
    )
  }

  disagreements(): readonly string[] {
    return this.#eras.flatMap((era, index) => era.disagreements().map((line) => `era ${index}: ${line}`))
  }
}
