import type { Totals } from '../../mirror/sink.ts'
import type { Change } from '../../replication/change.ts'
import type { KeyErrorSet } from './key-errors.ts'
import type { KeyChange } from './path-changes.ts'
import type { TreeContent } from './visible-tree.ts'

/** Of a tree that holds one file a key, and of the keys that have none. */
export function totalsOf({ files, bytes }: Pick<TreeContent, 'files' | 'bytes'>, keyErrors: KeyErrorSet): Totals {
  return { keys: files + keyErrors.size, bytes }
}

/** A tree with a difference on top. */
export function addTo({ files, bytes, digest }: TreeContent, difference: TreeContent): TreeContent {
  return {
    files: files + difference.files,
    bytes: bytes + difference.bytes,
    digest: digest.plus(difference.digest),
  }
}

/** An event of etcd as what becomes of its key. */
export function toKeyChange(change: Change): KeyChange {
  return { key: change.key, value: change.type === 'put' ? change.value : undefined, modRevision: change.modRevision }
}
