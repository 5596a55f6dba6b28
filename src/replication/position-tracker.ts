import type { KeyValue } from '../etcd/key-value.ts'
import { anchorOf } from './anchor.ts'
import type { Change } from './change.ts'
import type { Anchor, Position } from './position.ts'

/** So many recent puts are remembered, so that deleting the newest does not leave the position without an anchor. */
const CANDIDATES = 16

/**
 * Follows the position of a mirror through the events it receives: revision, number of keys, and the newest live put as
 * anchor. Memory is constant.
 */
export class PositionTracker {
  #position: Position
  /** Oldest first; by key as latin1. */
  #anchors = new Map<string, Anchor>()
  /** Keys that events touched while the first anchor is still being looked for. */
  #touched: Set<string> | undefined

  /** A position of keys without an anchor waits for `offerAnchor`. */
  constructor(position: Position) {
    this.#position = position
    if (position.anchor) this.#remember(position.anchor)
    else if (position.keyCount > 0) this.#touched = new Set()
  }

  get position(): Position {
    return this.#position
  }

  /** Whole revisions, in order. */
  apply(changes: readonly Change[], revision: number): void {
    let { keyCount } = this.#position
    for (const change of changes) keyCount += keyCountDelta(change)
    for (const { key, type } of changes) {
      const name = key.toString('latin1')
      this.#touched?.add(name)
      if (type === 'delete') this.#anchors.delete(name)
    }
    this.#rememberLastPuts(changes)
    this.#position = { ...this.#position, revision, keyCount, anchor: this.#newest() }
  }

  /** The newest live put of the state this tracker started from, once that state was read to its end. */
  offerAnchor(anchor: Anchor | undefined): void {
    const touched = this.#touched
    this.#touched = undefined
    if (!anchor || !touched || touched.has(anchor.key.toString('latin1'))) return
    // It is older than every event.
    this.#anchors = new Map([[anchor.key.toString('latin1'), anchor], ...this.#anchors])
    this.#position = { ...this.#position, anchor: this.#newest() }
  }

  /** Nothing under the prefix changed up to `revision`. */
  progress(revision: number): void {
    if (revision > this.#position.revision) this.#position = { ...this.#position, revision }
  }

  /** The store was seen in a newer raft term. */
  sawRaftTerm(raftTerm: number): void {
    if (raftTerm > this.#position.raftTerm) this.#position = { ...this.#position, raftTerm }
  }

  #newest(): Anchor | undefined {
    return [...this.#anchors.values()].at(-1)
  }

  #rememberLastPuts(changes: readonly Change[]): void {
    const newest: KeyValue[] = []
    const settled = new Set<string>()
    for (let index = changes.length - 1; index >= 0 && newest.length < CANDIDATES; index--) {
      const change = changes[index] as Change
      const key = change.key.toString('latin1')
      if (!settled.has(key) && change.type === 'put') newest.push(change)
      settled.add(key)
    }
    for (const put of newest.reverse()) this.#remember(anchorOf(put))
  }

  #remember(anchor: Anchor): void {
    const key = anchor.key.toString('latin1')
    this.#anchors.delete(key)
    this.#anchors.set(key, anchor)
    const [oldest] = this.#anchors.keys()
    if (this.#anchors.size > CANDIDATES && oldest !== undefined) this.#anchors.delete(oldest)
  }
}

/** + 1 for an event that created its key, − 1 for one that deleted it. */
export function keyCountDelta(change: Change): number {
  if (change.type === 'delete') return -1
  return change.version === 1 ? 1 : 0
}
