import { isUtf8 } from 'node:buffer'
import type { Totals } from '../../mirror/sink.ts'
import { printableKey } from '../files/key-path.ts'
import type { KeyEntry } from './key-entry.ts'

/** A state in memory: every key with its size, and with its value if an output reads it. */
export class KeyValues {
  readonly #entries = new Map<string, KeyEntry>()
  readonly #isRead: (key: string) => boolean
  /** undefined = keys have come or gone since. */
  #ids: readonly string[] | undefined
  #bytes = 0

  /** `isRead`: whether the value of a key is needed. */
  constructor(isRead: (key: string) => boolean) {
    this.#isRead = isRead
  }

  get totals(): Totals {
    return { keys: this.#entries.size, bytes: this.#bytes }
  }

  /** Sorted by the bytes of the keys. */
  get sorted(): readonly KeyEntry[] {
    this.#ids ??= [...this.#entries.keys()].sort()
    return this.#ids.flatMap((id) => this.#entries.get(id) ?? [])
  }

  /** `key`: below the prefix; `value` undefined = it is deleted. Returns the entry that counts now, or that is gone. */
  set(key: Buffer, value: Buffer | undefined): KeyEntry | undefined {
    const id = key.toString('latin1')
    const before = this.#entries.get(id)
    this.#bytes += (value?.length ?? 0) - (before?.size ?? 0)
    if ((before === undefined) !== (value === undefined)) this.#ids = undefined
    if (value === undefined) {
      this.#entries.delete(id)
      return before
    }
    const entry = this.#entryOf(id, key, value, before)
    this.#entries.set(id, entry)
    return entry
  }

  #entryOf(id: string, key: Buffer, value: Buffer, before: KeyEntry | undefined): KeyEntry {
    const text = before?.text ?? key.toString('utf8')
    // Values are often views of a large message: what is kept is copied.
    const kept = this.#isRead(text) ? Buffer.from(value) : undefined
    const isText = before?.isText ?? isUtf8(key)
    return { id, text, isText, name: before?.name ?? printableKey(key), value: kept, size: value.length }
  }
}
