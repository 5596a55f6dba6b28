import { isUtf8 } from 'node:buffer'
import { ownCopies } from '../../util/own-copies.ts'
import { printableKey } from '../files/key-path.ts'
import type { KeyEntry } from '../render/key-entry.ts'
import { dataKey } from './data-key.ts'
import type { KeyRefusal } from './tree-data.ts'

const MAX_REFUSED = 100
const NOTHING = Buffer.alloc(0)

/** One key that came or went; `key` is the whole key, `value` undefined = it is gone. */
export interface StateChange {
  readonly key: Buffer
  readonly value: Buffer | undefined
}

/** The keys below a prefix with their values. Does not change; `with` makes the next one. */
export class PrefixState {
  readonly #entries: ReadonlyMap<string, KeyEntry>

  constructor(entries: ReadonlyMap<string, KeyEntry> = new Map()) {
    this.#entries = entries
  }

  get keys(): number {
    return this.#entries.size
  }

  /** Sorted by the bytes of the keys. */
  get sorted(): readonly KeyEntry[] {
    return [...this.#entries.values()].sort(({ id: a }, { id: b }) => (a < b ? -1 : 1))
  }

  with(changes: Iterable<StateChange>, prefixLength: number): PrefixState {
    const entries = new Map(this.#entries)
    const all = [...changes]
    // Values are often views of a large message.
    const kept = ownCopies(all.map(({ value = NOTHING }) => value))
    for (const [index, { key, value }] of all.entries()) {
      const relative = key.subarray(prefixLength)
      const id = relative.toString('latin1')
      if (value === undefined) entries.delete(id)
      else entries.set(id, entryOf(id, relative, kept[index] ?? value))
    }
    return new PrefixState(entries)
  }
}

/**
 * What the data of an object does not tell of the state that it was made of, as text: where names had slashes, and the
 * keys that have no name. undefined = that is too much, or not enough: then a snapshot is needed to go on.
 */
export function restOf(names: Iterable<string>, entries: readonly KeyEntry[], refused: readonly KeyRefusal[]) {
  const isTold = refused.every(({ key }) => dataKey(key).reason !== undefined)
  if (!isTold || refused.length > MAX_REFUSED) return undefined
  const keyOf = new Map<string, string>()
  for (const { id } of entries) keyOf.set(id.replaceAll('/', '.'), id)
  const slashes = [...names].sort().map((name) => slashesOf(keyOf.get(name) ?? name))
  return JSON.stringify({ slashes: slashes.join(','), refused: refused.map(({ key }) => key.toString('base64')) })
}

/** The state that data was made of. undefined = `rest` does not fit the data. */
export function stateFrom(data: ReadonlyMap<string, Buffer>, rest: string): PrefixState | undefined {
  const { slashes, refused } = JSON.parse(rest) as { readonly slashes: string; readonly refused: readonly string[] }
  const names = [...data.keys()].sort()
  const masks = names.length === 0 ? [] : slashes.split(',')
  if (masks.length !== names.length) return undefined
  const known = names.map((name, index) => ({
    key: Buffer.from(withSlashes(name, masks[index] ?? ''), 'latin1'),
    value: data.get(name),
  }))
  const nameless = refused.map((key) => ({ key: Buffer.from(key, 'base64'), value: Buffer.alloc(0) }))
  return new PrefixState().with([...known, ...nameless], 0)
}

/** Of the dots that a name will have, which are slashes: '' = all, else one digit each. */
function slashesOf(key: string): string {
  const marks = [...key].filter((character) => character === '/' || character === '.')
  return marks.includes('.') ? marks.map((mark) => (mark === '/' ? '1' : '0')).join('') : ''
}

function withSlashes(name: string, mask: string): string {
  let at = 0
  return name.replaceAll('.', () => {
    const isSlash = mask === '' || mask[at] === '1'
    at += 1
    return isSlash ? '/' : '.'
  })
}

function entryOf(id: string, key: Buffer, value: Buffer): KeyEntry {
  return { id, text: key.toString('utf8'), isText: isUtf8(key), name: printableKey(key), value, size: value.length }
}
