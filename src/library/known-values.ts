import type { KeyValue } from './key-value-broker.ts'

/** The state of the subscribed prefixes as a subscriber has taken it. Everything in it is a copy of its own. */
export class KnownValues {
  #values = new Map<string, KeyValue>()

  get(key: Buffer): KeyValue | undefined {
    return this.#values.get(key.toString('latin1'))
  }

  set({ key, value, revision }: KeyValue): void {
    // What comes from etcd may be a view of a message of megabytes.
    const copy = { key: Buffer.from(key), value: Buffer.from(value), revision }
    this.#values.set(key.toString('latin1'), copy)
  }

  delete(key: Buffer): void {
    this.#values.delete(key.toString('latin1'))
  }

  /** What is not among `values`. */
  without(values: Iterable<KeyValue>): readonly KeyValue[] {
    const present = new Set([...values].map(({ key }) => key.toString('latin1')))
    return [...this.#values].filter(([name]) => !present.has(name)).map(([, kv]) => kv)
  }

  replaceBy(values: Iterable<KeyValue>): void {
    this.#values = new Map()
    for (const kv of values) this.set(kv)
  }
}
