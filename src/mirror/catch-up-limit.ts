import type { Position } from '../replication/position.ts'

/** The server replays some 6,000 revisions a second and lists 100,000 keys in half a second. */
const CATCH_UP_REVISIONS = 1000
const KEYS_PER_CATCH_UP_REVISION = 30

/** From so many revisions behind on a snapshot is cheaper than the events. */
export function catchUpLimit({ keyCount }: Position): number {
  return Math.max(CATCH_UP_REVISIONS, keyCount / KEYS_PER_CATCH_UP_REVISION)
}
