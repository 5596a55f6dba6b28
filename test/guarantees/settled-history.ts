import type { Digest } from './digest.ts'

/** What one revision did under the prefix: digest by key, undefined = deleted. Keys are text; the workload's are plain. */
export type Writes = ReadonlyMap<string, Digest | undefined>

interface Version {
  readonly revision: number
  readonly digest: Digest | undefined
}

/** Everything that one store went through under the prefix: the truth that records are held to. */
export class SettledHistory {
  /** Ascending. */
  readonly revisions: readonly number[]
  readonly #writes: ReadonlyMap<number, Writes>
  readonly #versions = new Map<string, Version[]>()
  /** Live keys after the revision of the same index. */
  readonly #counts: number[] = []

  constructor(writes: ReadonlyMap<number, Writes>) {
    this.#writes = writes
    this.revisions = [...writes.keys()].sort((a, b) => a - b)
    let count = 0
    for (const revision of this.revisions) {
      for (const [key, digest] of this.writesAt(revision)) {
        const versions = this.#versions.get(key) ?? []
        const wasLive = versions.at(-1)?.digest !== undefined
        count += Number(digest !== undefined) - Number(wasLive)
        versions.push({ revision, digest })
        this.#versions.set(key, versions)
      }
      this.#counts.push(count)
    }
  }

  /** 0 = nothing was ever written. */
  get lastRevision(): number {
    return this.revisions.at(-1) ?? 0
  }

  writesAt(revision: number): Writes {
    return this.#writes.get(revision) ?? new Map()
  }

  /** What the key held right after `revision`; undefined = it did not exist. */
  valueAt(key: string, revision: number): Digest | undefined {
    return this.versionAt(key, revision)?.digest
  }

  /** Its newest write at or below `revision`. */
  versionAt(key: string, revision: number): Version | undefined {
    const versions = this.#versions.get(key) ?? []
    const index = countBelow(versions, (version) => version.revision <= revision) - 1
    return versions[index]
  }

  /** Whether the key got this value, or was deleted (undefined), after `revision`. */
  wasSetAfter(revision: number, key: string, digest: Digest | undefined): boolean {
    return (this.#versions.get(key) ?? []).some((version) => version.revision > revision && version.digest === digest)
  }

  /** How many keys existed right after `revision`. */
  countAt(revision: number): number {
    return this.#counts[countBelow(this.revisions, (known) => known <= revision) - 1] ?? 0
  }

  stateAt(revision: number): ReadonlyMap<string, Digest> {
    const state = new Map<string, Digest>()
    for (const key of this.#versions.keys()) {
      const digest = this.valueAt(key, revision)
      if (digest !== undefined) state.set(key, digest)
    }
    return state
  }

  /** The revisions that wrote something in (`after`, `upTo`]. */
  between(after: number, upTo: number): readonly number[] {
    const start = countBelow(this.revisions, (revision) => revision <= after)
    const end = countBelow(this.revisions, (revision) => revision <= upTo)
    return this.revisions.slice(start, end)
  }
}

/** How many of the first items fit, when all that fit come first. */
function countBelow<T>(items: readonly T[], fits: (item: T) => boolean): number {
  let low = 0
  let high = items.length
  while (low < high) {
    const middle = (low + high) >> 1
    if (fits(items[middle] as T)) low = middle + 1
    else high = middle
  }
  return low
}
