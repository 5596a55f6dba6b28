import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anchorOf, newestAnchor, sameAnchor } from '../../../src/replication/anchor.ts'
import type { Change } from '../../../src/replication/change.ts'
import type { Position } from '../../../src/replication/position.ts'
import { PositionTracker } from '../../../src/replication/position-tracker.ts'
import { history, ModelStore, type Revision } from './model-store.ts'

function positionOf(store: ModelStore, overrides: Partial<Position> = {}): Position {
  const { revision, size: keyCount } = store
  return { epoch: 0, clusterId: 7n, revision, raftTerm: 2, keyCount, anchor: undefined, ...overrides }
}

/** A store after some revisions. */
function storeAfter(revisions: readonly Revision[]): ModelStore {
  const store = new ModelStore(1)
  for (const revision of revisions) store.commit(revision)
  return store
}

/** Events of several revisions at once, as a watch hands them out. */
function batch(store: ModelStore, revisions: readonly Revision[]): readonly Change[] {
  return revisions.flatMap((revision) => store.commit(revision))
}

describe('PositionTracker', () => {
  test('counts the keys as the store does and keeps a live put as anchor, however revisions come in batches', () => {
    fc.assert(
      fc.property(history, fc.array(history, { maxLength: 5 }), fc.boolean(), (before, batches, offers) => {
        const store = storeAfter(before)
        const snapshotAnchor = newestAnchor(store.state, undefined)
        const tracker = new PositionTracker(positionOf(store))
        for (const [index, revisions] of batches.entries()) {
          if (offers && index === 2) tracker.offerAnchor(snapshotAnchor)
          const changes = batch(store, revisions)
          tracker.apply(changes, store.revision)
          const { keyCount, revision, anchor } = tracker.position
          expect([keyCount, revision]).toEqual([store.size, store.revision])
          if (anchor) expect(sameAnchor(anchor, store.find(anchor.key))).toBe(true)
        }
      }),
      { numRuns: 500 },
    )
  })

  test('has an anchor whenever the last revision put something, and it is the newest put', () => {
    fc.assert(
      fc.property(history, (revisions) => {
        const store = new ModelStore()
        const tracker = new PositionTracker(positionOf(store))
        for (const revision of revisions) {
          const changes = store.commit(revision)
          if (changes.length === 0) continue
          tracker.apply(changes, store.revision)
          const puts = changes.filter(({ type }) => type === 'put')
          if (puts.length > 0) expect(tracker.position.anchor?.modRevision).toBe(store.revision)
        }
      }),
    )
  })

  test('waits for no anchor where there were no keys: what events touch would be remembered for ever', () => {
    const store = new ModelStore()
    const tracker = new PositionTracker(positionOf(store))
    const [foreign] = storeAfter([{ a: '1' }]).state
    tracker.offerAnchor(foreign && anchorOf(foreign))
    expect(tracker.position.anchor).toBeUndefined()
  })

  test('falls back to an older live put when the newest is deleted', () => {
    const store = new ModelStore()
    const tracker = new PositionTracker(positionOf(store))
    tracker.apply(batch(store, [{ a: '1' }, { b: '2' }, { c: '3' }, { c: undefined }]), store.revision)
    expect(tracker.position.anchor?.key.toString()).toBe('b')
    tracker.apply(batch(store, [{ b: undefined, a: undefined }]), store.revision)
    expect(tracker.position.anchor).toBeUndefined()
  })

  test('keeps memory of 16 puts', () => {
    const store = new ModelStore()
    const tracker = new PositionTracker(positionOf(store))
    const puts = Array.from({ length: 40 }, (_, index) => ({ [`k${index}`]: 'x' }))
    tracker.apply(batch(store, puts.slice(0, 20)), store.revision)
    for (const put of puts.slice(20)) tracker.apply(batch(store, [put]), store.revision)
    const deletes = puts.slice(24).map((put) => Object.fromEntries(Object.keys(put).map((key) => [key, undefined])))
    tracker.apply(batch(store, deletes.slice(1)), store.revision)
    expect(tracker.position.anchor?.key.toString()).toBe('k24')
    tracker.apply(batch(store, deletes.slice(0, 1)), store.revision)
    expect(tracker.position.anchor).toBeUndefined()
  })

  describe('offerAnchor', () => {
    const start = () => {
      const store = storeAfter([{ a: '1' }, { b: '2' }])
      const anchor = newestAnchor(store.state, undefined)
      return { store, anchor, tracker: new PositionTracker(positionOf(store)) }
    }

    test('takes the newest put of the snapshot when no event touched its key', () => {
      const { store, anchor, tracker } = start()
      tracker.apply(batch(store, [{ a: undefined }]), store.revision)
      tracker.offerAnchor(anchor)
      expect(tracker.position.anchor).toEqual(anchor)
      expect(anchor?.key.toString()).toBe('b')
    })

    test.each<[string, string | undefined]>([
      ['changed', 'new'],
      ['deleted', undefined],
    ])('drops it when its key was %s meanwhile', (_how, value) => {
      const { store, anchor, tracker } = start()
      tracker.apply(batch(store, [{ b: value }]), store.revision)
      const { anchor: before } = tracker.position
      tracker.offerAnchor(anchor)
      expect(tracker.position.anchor).toEqual(before)
    })

    test('is dropped when its key was deleted and created again', () => {
      const { store, anchor, tracker } = start()
      tracker.apply(batch(store, [{ b: undefined }, { b: '2' }, { b: undefined }]), store.revision)
      tracker.offerAnchor(anchor)
      expect(tracker.position.anchor).toBeUndefined()
    })

    test('ranks below every put that came as an event', () => {
      const { store, anchor, tracker } = start()
      tracker.apply(batch(store, [{ c: '3' }]), store.revision)
      tracker.offerAnchor(anchor)
      expect(tracker.position.anchor?.key.toString()).toBe('c')
      tracker.apply(batch(store, [{ c: undefined }]), store.revision)
      expect(tracker.position.anchor?.key.toString()).toBe('b')
    })

    test('counts once, and not at all for a position that was resumed with an anchor', () => {
      const { store, anchor, tracker } = start()
      tracker.offerAnchor(undefined)
      tracker.offerAnchor(anchor)
      expect(tracker.position.anchor).toBeUndefined()
      const own = newestAnchor(store.state.slice(0, 1), undefined)
      const resumed = new PositionTracker(positionOf(store, { anchor: own }))
      resumed.offerAnchor(anchor)
      expect(resumed.position.anchor).toEqual(own)
    })
  })

  test('progress and sawRaftTerm only move forward, and leave count and anchor alone', () => {
    const store = storeAfter([{ a: '1' }])
    const anchor = newestAnchor(store.state, undefined)
    const tracker = new PositionTracker(positionOf(store, { anchor }))
    tracker.progress(50)
    tracker.progress(40)
    tracker.sawRaftTerm(5)
    tracker.sawRaftTerm(4)
    expect(tracker.position).toEqual(positionOf(store, { anchor, revision: 50, raftTerm: 5 }))
  })

  test('copies what it keeps: the message that an anchor came in may go', () => {
    const key = Buffer.from('a')
    const anchor = anchorOf({ key, value: key, modRevision: 1, createRevision: 1, version: 1, lease: 0n })
    key[0] = 0
    expect(anchor.key.toString()).toBe('a')
  })
})
