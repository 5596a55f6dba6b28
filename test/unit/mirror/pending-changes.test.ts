import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { PendingChanges } from '../../../src/mirror/pending-changes.ts'
import type { Change } from '../../../src/replication/change.ts'
import { history, ModelStore } from '../replication/model-store.ts'

describe('PendingChanges', () => {
  test('holds the newest event of each key, over any mixture of add, take and putBack', () => {
    // true = take, and put back after the next batch; false = take and write.
    fc.assert(
      fc.property(fc.array(fc.tuple(history, fc.boolean()), { maxLength: 8 }), (rounds) => {
        const store = new ModelStore()
        const pending = new PendingChanges()
        const written = new Map<string, Change>()
        for (const [revisions, fails] of rounds) {
          const taken = pending.take()
          expect([pending.size, pending.bytes]).toEqual([0, 0])
          pending.add(revisions.flatMap((revision) => store.commit(revision)))
          if (fails) pending.putBack(taken)
          else for (const change of taken) written.set(change.key.toString(), change)
          expect(pending.bytes).toBe(bytesOf(pending))
        }
        for (const change of pending.take()) written.set(change.key.toString(), change)
        const live = [...written.values()].filter(({ type }) => type === 'put')
        expect(live.map(({ key, modRevision }) => `${modRevision}:${key}`).sort()).toEqual(
          store.state.map(({ key, modRevision }) => `${modRevision}:${key}`).sort(),
        )
      }),
      { numRuns: 500 },
    )
  })

  test('keeps copies, so that the message a value came in may go', () => {
    const message = Buffer.from('key value')
    const pending = new PendingChanges()
    const numbers = { modRevision: 1, createRevision: 1, version: 1, lease: 0n }
    pending.add([{ type: 'put', key: message.subarray(0, 3), value: message.subarray(4), ...numbers }])
    message.fill(0)
    const [change] = pending.take()
    expect(change?.type === 'put' && [change.key.toString(), change.value.toString()]).toEqual(['key', 'value'])
  })

  test('tells keys apart that differ only in bytes that are no text', () => {
    const pending = new PendingChanges()
    pending.add([0xfe, 0xff].map((byte) => ({ type: 'delete', key: Buffer.from([byte]), modRevision: 1 })))
    expect(pending.size).toBe(2)
  })

  test('clear forgets everything', () => {
    const pending = new PendingChanges()
    pending.add([{ type: 'delete', key: Buffer.from('a'), modRevision: 1 }])
    pending.clear()
    expect([pending.size, pending.bytes, pending.take()]).toEqual([0, 0, []])
  })
})

/** Counted anew from what is held. */
function bytesOf(pending: PendingChanges): number {
  const changes = pending.take()
  pending.putBack(changes)
  return changes.reduce((sum, each) => sum + 400 + each.key.length + (each.type === 'put' ? each.value.length : 0), 0)
}
