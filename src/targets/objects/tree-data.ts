import { printableKey } from '../files/key-path.ts'
import { dataKey } from './data-key.ts'

/** One key below the prefix. */
export interface RelativeEntry {
  readonly key: Buffer
  readonly value: Buffer
}

/** A key that an object cannot hold, and why. */
export interface KeyRefusal {
  /** Below the prefix. */
  readonly key: Buffer
  /** Goes on after the key's name; holds no value. */
  readonly reason: string
}

/** What an object holds: data keys in order, with their bytes. */
export interface TreeData {
  readonly data: ReadonlyMap<string, Buffer>
  readonly refused: readonly KeyRefusal[]
}

/**
 * One data key a key, for ConfigMaps and Secrets. Of keys that would share a data key the first by its bytes has it,
 * whatever the order of `entries`: that is the one which is its own data key, if there is one. The others are refused, as
 * are those that `taken` (documents of the same object) leaves no name.
 */
export function treeData(entries: Iterable<RelativeEntry>, taken: ReadonlySet<string> = new Set()): TreeData {
  const owners = new Map<string, RelativeEntry>()
  const refused: KeyRefusal[] = []
  const sorted = [...entries].sort((a, b) => Buffer.compare(a.key, b.key))
  for (const entry of sorted) {
    const { name, reason } = dataKey(entry.key)
    const owner = name === undefined ? undefined : owners.get(name)
    if (name === undefined) refused.push({ key: entry.key, reason })
    else if (taken.has(name)) refused.push({ key: entry.key, reason: `would have the name "${name}" of a document` })
    else if (owner) refused.push({ key: entry.key, reason: `has the same name as the key ${printableKey(owner.key)}` })
    else owners.set(name, entry)
  }
  return { data: new Map([...owners].map(([name, { value }]) => [name, value])), refused }
}
