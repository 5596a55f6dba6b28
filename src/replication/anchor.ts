import { hash } from 'node:crypto'
import type { KeyValue } from '../etcd/key-value.ts'
import { ownCopy } from '../util/own-copies.ts'
import type { Anchor } from './position.ts'

/** An anchor made of a live put. Copies the key: it outlives the message it came in. */
export function anchorOf({ key, value, modRevision, createRevision, version }: KeyValue): Anchor {
  return { key: ownCopy(key), modRevision, createRevision, version, valueHash: hash('sha256', value, 'base64') }
}

export function sameAnchor(anchor: Anchor, found: KeyValue | undefined): boolean {
  if (!found) return false
  const { key, ...expected } = anchor
  const { key: foundKey, ...actual } = anchorOf(found)
  return (
    key.equals(foundKey) &&
    expected.modRevision === actual.modRevision &&
    expected.createRevision === actual.createRevision &&
    expected.version === actual.version &&
    expected.valueHash === actual.valueHash
  )
}

/** The put with the highest revision of a page, unless `best` is newer. */
export function newestAnchor(page: readonly KeyValue[], best: Anchor | undefined): Anchor | undefined {
  const newest = page.reduce<KeyValue | undefined>(
    (found, kv) => (kv.modRevision > (found ?? best ?? NEVER).modRevision ? kv : found),
    undefined,
  )
  return newest ? anchorOf(newest) : best
}

const NEVER = { modRevision: 0 }
