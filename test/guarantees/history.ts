import { SettledHistory, type Writes } from './settled-history.ts'

/**
 * The history of one store while it is made. What was acknowledged to the writer counts; what a direct, uncut watch saw
 * settles the writes whose outcome the writer never heard, and what etcd did by itself (leases).
 */
export class History {
  readonly #acknowledged = new Map<number, Writes>()
  readonly #watched = new Map<number, Writes>()

  acknowledge(revision: number, writes: Writes): void {
    add(this.#acknowledged, revision, writes)
  }

  watch(revision: number, writes: Writes): void {
    add(this.#watched, revision, writes)
  }

  /** The history of a store that went back to `revision`: what came later never happened in it. */
  forkAt(revision: number): History {
    const fork = new History()
    for (const [at, writes] of this.#acknowledged) if (at <= revision) fork.acknowledge(at, writes)
    for (const [at, writes] of this.#watched) if (at <= revision) fork.watch(at, writes)
    return fork
  }

  settle(): SettledHistory {
    return new SettledHistory(new Map([...this.#watched, ...this.#acknowledged]))
  }

  /** Where writer and watch tell different stories: then the oracle itself is wrong, or etcd has lost an event. */
  disagreements(): readonly string[] {
    return [...this.#acknowledged].flatMap(([revision, writes]) => {
      const watched = this.#watched.get(revision)
      if (watched === undefined) return [`the watch never saw revision ${revision} (${[...writes.keys()].join(', ')})`]
      return isSame(writes, watched) ? [] : [`writer and watch disagree about revision ${revision}`]
    })
  }
}

function add(known: Map<number, Writes>, revision: number, writes: Writes): void {
  known.set(revision, new Map([...(known.get(revision) ?? []), ...writes]))
}

function isSame(left: Writes, right: Writes): boolean {
  return left.size === right.size && [...left].every(([key, digest]) => right.has(key) && right.get(key) === digest)
}
