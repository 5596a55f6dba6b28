import fc from 'fast-check'
import type { KeyValue } from '../../../src/etcd/key-value.ts'
import type { Change } from '../../../src/replication/change.ts'

/** One revision: keys that it puts (with a value) or deletes (undefined). */
export type Revision = Readonly<Record<string, string | undefined>>

/** A history of few keys, so that they are created, changed, deleted and created again. */
export const history: fc.Arbitrary<readonly Revision[]> = fc.array(
  fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), fc.option(fc.constantFrom('x', 'y'), { nil: undefined }), {
    minKeys: 1,
  }),
  { maxLength: 60 },
)

/** etcd in a few lines: the state after each revision, and the events of each. */
export class ModelStore {
  revision: number
  readonly #keys = new Map<string, KeyValue>()

  constructor(revision = 1) {
    this.revision = revision
  }

  get size(): number {
    return this.#keys.size
  }

  /** Ascending by key. */
  get state(): readonly KeyValue[] {
    return [...this.#keys.values()].toSorted((left, right) => Buffer.compare(left.key, right.key))
  }

  find(key: Buffer): KeyValue | undefined {
    return this.#keys.get(key.toString())
  }

  /** Deletes of keys that are not there are no events; a revision without events does not happen. */
  commit(changes: Revision): readonly Change[] {
    const effective = Object.entries(changes).filter(([key, value]) => value !== undefined || this.#keys.has(key))
    if (effective.length === 0) return []
    this.revision += 1
    return effective.map(([name, value]) => this.#change(name, value))
  }

  #change(name: string, value: string | undefined): Change {
    const key = Buffer.from(name)
    const before = this.#keys.get(name)
    if (value === undefined) {
      this.#keys.delete(name)
      return { type: 'delete', key, modRevision: this.revision }
    }
    const kv: KeyValue = {
      key,
      value: Buffer.from(value),
      modRevision: this.revision,
      createRevision: before?.createRevision ?? this.revision,
      version: (before?.version ?? 0) + 1,
      lease: 0n,
    }
    this.#keys.set(name, kv)
    return { type: 'put', ...kv }
  }
}
