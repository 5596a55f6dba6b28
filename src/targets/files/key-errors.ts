import { createHash } from 'node:crypto'
import type { KeyErrors } from '../../mirror/sink.ts'
import { printableKey } from './key-path.ts'

const MAX_EXAMPLES = 10
const MAX_EXAMPLE_LENGTH = 200
/** Of those beyond it the hash alone is kept: whoever writes to etcd must not be able to fill our memory. */
const MAX_TOLD = 1000

export type KeyErrorEntry = readonly [hash: string, key: string, reason: string]

/**
 * The keys of a state that have no path. Keeps each one's hash, because a merged batch does not tell whether a key
 * that it deletes was there before: a count alone would drift.
 */
export class KeyErrorSet {
  #entries: Map<string, KeyErrorEntry>
  #isShared = false

  constructor(entries: Iterable<KeyErrorEntry> = []) {
    this.#entries = new Map()
    for (const entry of entries) this.#entries.set(entry[0], entry)
  }

  /** An independent set with the same keys; costs nothing until one of the two changes. */
  copy(): KeyErrorSet {
    const copy = new KeyErrorSet()
    copy.#entries = this.#entries
    copy.#isShared = true
    this.#isShared = true
    return copy
  }

  add(key: Buffer, reason: string): void {
    const hash = hashOf(key)
    if (this.#entries.has(hash)) return
    this.#own().set(hash, this.size < MAX_TOLD ? [hash, exampleOf(key), reason] : [hash, '', ''])
  }

  delete(key: Buffer): void {
    if (this.size === 0) return
    const hash = hashOf(key)
    if (this.#entries.has(hash)) this.#own().delete(hash)
  }

  get size(): number {
    return this.#entries.size
  }

  entries(): KeyErrorEntry[] {
    return [...this.#entries.values()]
  }

  /** The examples are of the first that were added; they may lack once many of these are gone. */
  summary(): KeyErrors {
    const examples: KeyErrors['examples'][number][] = []
    let looked = 0
    for (const [, key, reason] of this.#entries.values()) {
      if (reason !== '') examples.push({ key, reason })
      looked += 1
      if (examples.length === MAX_EXAMPLES || looked === MAX_TOLD) break
    }
    return { count: this.size, examples }
  }

  #own(): Map<string, KeyErrorEntry> {
    if (this.#isShared) this.#entries = new Map(this.#entries)
    this.#isShared = false
    return this.#entries
  }
}

function hashOf(key: Buffer): string {
  return createHash('sha256').update(key).digest('base64')
}

function exampleOf(key: Buffer): string {
  // Cut before it is made readable: of 4 KiB of hostile bytes that would be 12 KiB of text, kept alive by its beginning.
  const text = printableKey(key.subarray(0, MAX_EXAMPLE_LENGTH))
  return text.length < key.length || text.length > MAX_EXAMPLE_LENGTH ? `${text.slice(0, MAX_EXAMPLE_LENGTH)}…` : text
}
