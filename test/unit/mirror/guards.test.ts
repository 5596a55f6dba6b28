import { describe, expect, test } from 'vitest'
import { GuardError } from '../../../src/mirror/guard-error.ts'
import { Guards, type LimitOptions, type SafetyOptions, type VisibleCopy } from '../../../src/mirror/guards.ts'
import type { Change } from '../../../src/replication/change.ts'

const MINUTE_MS = 60_000

/** Guards on a clock that stands still until it is moved. */
function guardsWith(options: { limits?: Partial<LimitOptions>; safety?: Partial<SafetyOptions> } = {}) {
  let nowMs = 0
  const guards = new Guards(
    { maxKeys: 1000, maxBytes: 10_000, maxValueBytes: 100, ...options.limits },
    { refuseEmpty: true, maxDeletePercent: 50, allowDeleteUpTo: 0, ...options.safety },
    { now: () => nowMs, monotonic: () => nowMs, sleep: () => Promise.reject(new Error('nobody sleeps here')) },
  )
  return {
    guards,
    pass: (ms: number) => {
      nowMs += ms
    },
  }
}

function copyOf(keys: number | undefined, revision = 100, isSameConfig = true): VisibleCopy {
  return { keys, revision, isSameConfig }
}

const totals = (keys: number, bytes = 0) => ({ keys, bytes })

function deletes(...revisions: number[]): Change[] {
  return revisions.map((modRevision) => ({ type: 'delete', key: Buffer.from(`${modRevision}`), modRevision }))
}

function put(modRevision: number): Change {
  const key = Buffer.from('key')
  return { type: 'put', key, value: key, createRevision: 1, modRevision, version: 2, lease: 0n }
}

/** What holds it: code, message and hint; undefined = it may pass. */
function holds(admit: () => void): { code: string; message: string; hint: string | undefined } | undefined {
  try {
    admit()
  } catch (error) {
    if (!(error instanceof GuardError)) throw error
    return { code: error.code, message: error.message, hint: error.hint }
  }
  return undefined
}

describe('Guards limits', () => {
  const { guards } = guardsWith({ limits: { maxBytes: 2 ** 20 } })

  test('let pass what is exactly as large as a limit', () => {
    guards.admitTotals(totals(1000, 2 ** 20))
    guards.admitValue({ key: Buffer.from('key'), value: Buffer.alloc(100) })
  })

  test('hold more keys and say how many there are', () => {
    expect(holds(() => guards.admitTotals(totals(1001)))).toMatchObject({
      code: 'LimitExceeded',
      message: 'Cannot publish: there are at least 1001 keys, more than limits.maxKeys 1000',
      hint: expect.stringContaining('raise limits.maxKeys'),
    })
  })

  test('hold more bytes', () => {
    expect(holds(() => guards.admitTotals(totals(1, 2 ** 20 + 1)))).toMatchObject({
      code: 'LimitExceeded',
      message: expect.stringContaining('1048577 bytes together, more than limits.maxBytes 1Mi'),
    })
  })

  test('hold a larger value, and name its key beside the message only', () => {
    const admit = () => guards.admitValue({ key: Buffer.from('/secret/key'), value: Buffer.alloc(101) })
    expect(holds(admit)?.message).toBe('Cannot publish: a value of 101 bytes is larger than limits.maxValueBytes 100')
    expect(admit).toThrow(expect.objectContaining({ key: '/secret/key' }))
    expect(JSON.stringify(holds(admit))).not.toContain('secret')
  })
})

describe('Guards refuseEmpty', () => {
  test('holds a copy that had keys back from becoming empty, and says what lets it go on', () => {
    const { guards } = guardsWith()
    expect(holds(() => guards.admitBatch(copyOf(1), totals(0), deletes(105)))).toEqual({
      code: 'EmptyRefused',
      message: 'Cannot publish revision 105: it would leave no key',
      hint: 'If this is meant, write safety: { allowDeleteUpTo: 105 }',
    })
    expect(holds(() => guards.admitSnapshot(copyOf(1), totals(0), 107))).toMatchObject({
      code: 'EmptyRefused',
      hint: expect.stringContaining('allowDeleteUpTo: 107 }'),
    })
  })

  test('does not know a first copy, nor one that was empty before', () => {
    const { guards } = guardsWith()
    guards.admitSnapshot(undefined, totals(0), 107)
    guards.admitSnapshot(copyOf(0), totals(0), 107)
    guards.admitBatch(copyOf(0), totals(0), deletes(107))
  })

  test('takes a copy of unknown size for one that had keys', () => {
    const { guards } = guardsWith()
    expect(holds(() => guards.admitSnapshot(copyOf(undefined), totals(0), 107))?.code).toBe('EmptyRefused')
    guards.admitSnapshot(copyOf(undefined), totals(1), 107)
  })

  test('counts for a copy of another configuration too: a prefix with a typing error holds nothing', () => {
    const { guards } = guardsWith()
    expect(holds(() => guards.admitSnapshot(copyOf(3, 100, false), totals(0), 107))?.code).toBe('EmptyRefused')
  })

  test('off lets everything go, when maxDeletePercent does', () => {
    const { guards } = guardsWith({ safety: { refuseEmpty: false, maxDeletePercent: 100 } })
    guards.admitBatch(copyOf(1000), totals(0), deletes(105))
  })
})

describe('Guards maxDeletePercent', () => {
  test('lets exactly that share go, and holds more', () => {
    const { guards } = guardsWith()
    guards.admitBatch(copyOf(100), totals(50), deletes(105))
    expect(holds(() => guards.admitBatch(copyOf(100), totals(49), deletes(103, 105, 104)))).toEqual({
      code: 'DeletesRefused',
      message: 'Cannot publish revision 105: 51 of 100 keys would go, more than safety.maxDeletePercent 50',
      hint: 'If this is meant, write safety: { allowDeleteUpTo: 105 }',
    })
    expect(holds(() => guards.admitSnapshot(copyOf(100), totals(49), 105))?.code).toBe('DeletesRefused')
  })

  test('0 lets no key go', () => {
    const { guards } = guardsWith({ safety: { maxDeletePercent: 0 } })
    expect(holds(() => guards.admitBatch(copyOf(100), totals(99), deletes(105)))?.code).toBe('DeletesRefused')
    guards.admitBatch(copyOf(100), totals(100), [...deletes(105), put(106)])
  })

  test('says nothing below 20 keys', () => {
    const { guards } = guardsWith()
    guards.admitBatch(copyOf(19), totals(1), deletes(105))
    expect(holds(() => guards.admitBatch(copyOf(20), totals(1), deletes(105)))?.code).toBe('DeletesRefused')
  })

  test('does not count keys of another configuration', () => {
    const { guards } = guardsWith()
    guards.admitSnapshot(copyOf(1000, 100, false), totals(1), 105)
    guards.published(copyOf(1000, 100, false), totals(30))
    guards.admitBatch(copyOf(30), totals(29), deletes(106))
  })

  test('counts against the highest number of the last ten minutes', () => {
    const { guards, pass } = guardsWith()
    guards.published(undefined, totals(100))
    pass(5 * MINUTE_MS)
    guards.published(copyOf(100), totals(60))
    pass(5 * MINUTE_MS)
    guards.published(copyOf(60), totals(55))
    const smallStep = () => guards.admitBatch(copyOf(55), totals(49), deletes(105))
    expect(holds(smallStep)).toMatchObject({ message: expect.stringContaining('51 of 100 keys would go') })
    pass(5 * MINUTE_MS + 10_000)
    expect(holds(smallStep)).toBeUndefined()
  })

  test('one delete at a time comes to an end as well', () => {
    const { guards, pass } = guardsWith()
    let keys = 100
    guards.published(undefined, totals(keys))
    const deleteOne = () => guards.admitBatch(copyOf(keys), totals(keys - 1), deletes(105))
    for (; holds(deleteOne) === undefined; keys--) {
      guards.published(copyOf(keys), totals(keys - 1))
      pass(3000)
    }
    expect(keys).toBe(50)
  })

  test('forgets what was before a higher number', () => {
    const { guards } = guardsWith()
    guards.published(undefined, totals(100))
    guards.published(copyOf(100), totals(60))
    guards.published(copyOf(60), totals(200))
    expect(holds(() => guards.admitBatch(copyOf(200), totals(99), deletes(105)))?.message).toContain('101 of 200')
  })
})

describe('Guards allowDeleteUpTo', () => {
  test('lets deletes up to that revision go, and judges later ones as if they alone had happened', () => {
    const { guards } = guardsWith({ safety: { allowDeleteUpTo: 500 } })
    guards.admitBatch(copyOf(100), totals(0), deletes(499, 500))
    const some = deletes(...Array.from({ length: 60 }, (_, index) => 401 + index))
    // 60 of 100 were meant; of the 40 that are left 20 more go, then 21.
    guards.admitBatch(copyOf(100), totals(20), [...some, ...deletes(...Array.from({ length: 20 }, (_, i) => 501 + i))])
    const more = deletes(...Array.from({ length: 21 }, (_, index) => 501 + index))
    expect(holds(() => guards.admitBatch(copyOf(100), totals(19), [...some, ...more]))).toMatchObject({
      code: 'DeletesRefused',
      message: expect.stringContaining('21 of 40 keys would go'),
      hint: expect.stringContaining('allowDeleteUpTo: 521 }'),
    })
    expect(holds(() => guards.admitBatch(copyOf(100), totals(0), deletes(500, 501)))?.code).toBe('EmptyRefused')
  })

  test('does not let what was meant count against later deletes', () => {
    const { guards } = guardsWith({ safety: { allowDeleteUpTo: 500 } })
    guards.published(undefined, totals(100))
    guards.published(copyOf(100), totals(99))
    guards.admitBatch(copyOf(99), totals(30), deletes(500))
    guards.published(copyOf(99), totals(30))
    guards.admitBatch(copyOf(30), totals(29), deletes(501))
    guards.published(copyOf(30), totals(29))
    expect(holds(() => guards.admitBatch(copyOf(29), totals(14), deletes(502)))?.message).toContain('16 of 30')
  })

  test('lets a snapshot go whatever its own revision, while it is higher than the revision of the copy', () => {
    const { guards } = guardsWith({ safety: { allowDeleteUpTo: 101 } })
    guards.admitSnapshot(copyOf(100, 100), totals(0), 100_000)
    guards.published(copyOf(100, 100), totals(0))
    expect(holds(() => guards.admitSnapshot(copyOf(100, 101), totals(0), 100_000))?.code).toBe('EmptyRefused')
  })

  test('is told for a snapshot so that it works: higher than the copy, also after a reset of the store', () => {
    for (const revision of [7, 100, 150]) {
      const { guards } = guardsWith()
      const hint = holds(() => guards.admitSnapshot(copyOf(100), totals(0), revision))?.hint
      const allowDeleteUpTo = Number(/allowDeleteUpTo: (\d+)/.exec(hint ?? '')?.[1])
      const { guards: allowing } = guardsWith({ safety: { allowDeleteUpTo } })
      allowing.admitSnapshot(copyOf(100), totals(0), revision + 5)
    }
  })

  test('of long ago, still written there, allows nothing', () => {
    const { guards } = guardsWith({ safety: { allowDeleteUpTo: 99 } })
    expect(holds(() => guards.admitSnapshot(copyOf(100), totals(0), 50))?.code).toBe('EmptyRefused')
    expect(holds(() => guards.admitBatch(copyOf(100), totals(0), deletes(101)))?.code).toBe('EmptyRefused')
  })
})

test('Guards never hold a batch without deletes, nor one that leaves as many keys', () => {
  const { guards } = guardsWith()
  guards.published(undefined, totals(100))
  guards.published(copyOf(100), totals(50))
  guards.admitBatch(copyOf(50), totals(50), [...deletes(105), put(106)])
  guards.admitBatch(copyOf(50), totals(51), [put(106)])
})
