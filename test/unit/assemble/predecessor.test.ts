import { expect, test } from 'vitest'
import { inheritedStatus } from '../../../src/assemble/predecessor.ts'
import { mirrorStatus } from '../server/mirror-status-sample.ts'

const before = mirrorStatus({
  phase: 'Stopped',
  published: true,
  publishedRevision: 17,
  lastKnownEqualMs: 1000,
  stalenessMs: 500,
  sourceConnected: false,
})
const fresh = mirrorStatus({
  phase: 'Opening',
  published: false,
  publishedRevision: 0,
  prefix: '/other/',
  lastKnownEqualMs: undefined,
  stalenessMs: undefined,
  maxStalenessMs: 7000,
})

test('inheritedStatus shows the copy that stands there until the root is opened, then what the mirror knows', () => {
  const predecessor = { status: before, atMs: 100, isSameCopy: true }
  expect(inheritedStatus(fresh, predecessor, 400)).toMatchObject({
    phase: 'Opening',
    published: true,
    publishedRevision: 17,
    prefix: '/other/',
    maxStalenessMs: 7000,
    lastKnownEqualMs: 1000,
    stalenessMs: 800,
  })
  const opened = { ...fresh, phase: 'Connecting' as const }
  expect(inheritedStatus(opened, predecessor, 400)).toEqual({ ...opened, lastKnownEqualMs: 1000, stalenessMs: 800 })
  const equal = { ...opened, lastKnownEqualMs: 5000, stalenessMs: 1 }
  expect(inheritedStatus(equal, predecessor, 400)).toEqual(equal)
})

test('inheritedStatus does not call a copy of other keys fresh', () => {
  const status = inheritedStatus(fresh, { status: before, atMs: 100, isSameCopy: false }, 400)
  expect(status).toMatchObject({ published: true, lastKnownEqualMs: undefined, stalenessMs: undefined })
})
