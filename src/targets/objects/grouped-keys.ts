import type { KeyValue } from '../../etcd/key-value.ts'
import type { Totals } from '../../mirror/sink.ts'

/**
 * The keys of each group with their values, by the group's source. With a base: changes on top of it, which nobody else
 * sees until `commit`, at the cost of the groups that change.
 */
export class GroupedKeys {
  readonly #base: GroupedKeys | undefined
  readonly #groups = new Map<string, Map<string, KeyValue>>()
  #keys: number
  #bytes: number

  constructor(base?: GroupedKeys) {
    this.#base = base
    this.#keys = base?.totals.keys ?? 0
    this.#bytes = base?.totals.bytes ?? 0
  }

  get totals(): Totals {
    return { keys: this.#keys, bytes: this.#bytes }
  }

  /** Sources whose keys are not those of the base; all of them without one. */
  get changed(): Iterable<string> {
    return this.#groups.keys()
  }

  /** Sorted by the bytes of the keys; empty = there is no such group. */
  of(source: string): readonly KeyValue[] {
    const group = this.#groups.get(source) ?? this.#before(source) ?? new Map<string, KeyValue>()
    return [...group.values()].sort(({ key: a }, { key: b }) => Buffer.compare(a, b))
  }

  put(source: string, entry: KeyValue): void {
    this.delete(source, entry.key)
    // Keys and values are often views of a large message: what is kept is copied.
    const kept = { ...entry, key: Buffer.from(entry.key), value: Buffer.from(entry.value) }
    this.#own(source).set(idOf(entry.key), kept)
    this.#keys += 1
    this.#bytes += entry.value.length
  }

  delete(source: string, key: Buffer): void {
    const group = this.#own(source)
    const before = group.get(idOf(key))
    if (before === undefined) return
    group.delete(idOf(key))
    this.#keys -= 1
    this.#bytes -= before.value.length
  }

  /** The base with the changes made to it; these keys themselves without one. */
  commit(): GroupedKeys {
    const base = this.#base
    if (base === undefined) return this
    for (const [source, group] of this.#groups) {
      if (group.size === 0) base.#groups.delete(source)
      else base.#groups.set(source, group)
    }
    base.#keys = this.#keys
    base.#bytes = this.#bytes
    return base
  }

  #own(source: string): Map<string, KeyValue> {
    const group = this.#groups.get(source) ?? new Map(this.#before(source))
    this.#groups.set(source, group)
    return group
  }

  #before(source: string): ReadonlyMap<string, KeyValue> | undefined {
    return this.#base === undefined ? undefined : this.#base.#groups.get(source)
  }
}

function idOf(key: Buffer): string {
  return key.toString('latin1')
}
