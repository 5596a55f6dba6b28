import type { WriteResult } from '../../src/mirror/sink.ts'

/** What a scripted target says of a write: one key, published. */
export const WRITTEN: WriteResult = {
  written: 1,
  removed: 0,
  published: true,
  keyErrors: { count: 0, examples: [] },
  totals: { keys: 1, bytes: 1 },
}
