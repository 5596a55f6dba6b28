/** What stands under a prefix: value by key, both bytes; the key as latin1 text, so that any bytes fit. */
export type Entries = ReadonlyMap<string, Buffer>

interface Write {
  readonly revision: number
  /** undefined = deleted. */
  readonly value: Buffer | undefined
}

/** What etcd acknowledged to the writer: the truth that every tree is held to, at every revision. */
export class WriteLog {
  readonly #writes = new Map<string, Write[]>()
  #lastRevision = 0

  /** The newest revision that was recorded; 0 = none. */
  get lastRevision(): number {
    return this.#lastRevision
  }

  /** One revision's writes; `value` undefined = deleted. Revisions may be recorded in any order. */
  record(revision: number, writes: Iterable<readonly [key: string, value: Buffer | undefined]>): void {
    for (const [key, value] of writes) {
      const known = this.#writes.get(key) ?? []
      this.#writes.set(
        key,
        [...known, { revision, value }].sort((a, b) => a.revision - b.revision),
      )
    }
    this.#lastRevision = Math.max(this.#lastRevision, revision)
  }

  stateAt(revision: number): Entries {
    const state = new Map<string, Buffer>()
    for (const [key, writes] of this.#writes) {
      const value = writes.findLast((write) => write.revision <= revision)?.value
      if (value !== undefined) state.set(key, value)
    }
    return state
  }

  get state(): Entries {
    return this.stateAt(this.#lastRevision)
  }

  /** The history of a store that was restored to `revision`: what came later never happened. */
  forkAt(revision: number): WriteLog {
    const fork = new WriteLog()
    for (const [key, writes] of this.#writes) {
      for (const write of writes) if (write.revision <= revision) fork.record(write.revision, [[key, write.value]])
    }
    return fork
  }
}

/** One line for each of the first differences, values by length; empty = equal byte for byte. */
export function differences(actual: Entries, expected: Entries): readonly string[] {
  const lines: string[] = []
  for (const [key, value] of expected) {
    const found = actual.get(key)
    if (found === undefined) lines.push(`missing ${key}`)
    else if (!found.equals(value)) lines.push(`different ${key}: ${preview(found)} instead of ${preview(value)}`)
  }
  for (const key of actual.keys()) if (!expected.has(key)) lines.push(`surplus ${key}`)
  return lines.length > 5 ? [...lines.slice(0, 5), `and ${lines.length - 5} more`] : lines
}

function preview(value: Buffer): string {
  return `${value.length} bytes ${JSON.stringify(value.subarray(0, 24).toString('latin1'))}`
}
