import { describe, expect, test } from 'vitest'
import { AuthError } from '../../../src/etcd/auth-error.ts'
import type { MirrorFailure, MirrorStatus } from '../../../src/mirror/mirror-status.ts'
import { sameConditions, sameMessages, toConditions } from '../../../src/operator/conditions.ts'
import { connectionFindings } from '../../../src/operator/connection-findings.ts'
import { currentFindings } from '../../../src/operator/current-findings.ts'
import { mirrorFindings } from '../../../src/operator/mirror-findings.ts'
import type { SharedConnection } from '../../../src/operator/shared-connection.ts'

const NONE = { count: 0, examples: [] }

/** `error`: what fails now. `away`: why etcd cannot be followed; it is what fails, unless `error` says otherwise. */
function running(part: Partial<MirrorStatus> & { error?: string; away?: string } = {}) {
  const { away, error = away, ...rest } = part
  const failure = (reason: string | undefined): MirrorFailure | undefined =>
    reason === undefined ? undefined : { reason, message: `Cannot ${reason}`, hint: 'Do it', atMs: 1, sinceMs: 1 }
  const status: MirrorStatus = {
    name: 'a/b',
    prefix: '/p/',
    target: 'configMap/x',
    phase: 'Following',
    published: true,
    publishedRevision: 7,
    seeded: false,
    appliedRevision: 7,
    epoch: 0,
    observedRevision: 7,
    keys: 1,
    keyErrors: NONE,
    objects: 1,
    sourceConnected: true,
    serverVersion: undefined,
    lastKnownEqualMs: 1,
    stalenessMs: 10,
    maxStalenessMs: 0,
    lastVerifiedMs: undefined,
    lastPublishedMs: undefined,
    snapshot: undefined,
    lastError: failure(error),
    sourceError: failure(away),
    runningMs: 60_000,
    ...rest,
  }
  return { kind: 'running' as const, status }
}

const keyErrors = { count: 9, examples: [{ key: 'a/b', reason: 'has the same name as the key a.b' }] }

describe('mirrorFindings', () => {
  test.each([
    ['all is well', running(), 'True/Published True/Connected False/AsExpected False/AsExpected'],
    [
      'nothing is published yet',
      running({ published: false, sourceConnected: false }),
      'False/Syncing False/Connecting False/AsExpected False/AsExpected',
    ],
    [
      'etcd was never reached',
      running({ published: false, sourceConnected: false, away: 'Unavailable' }),
      'False/Unavailable False/Unavailable False/AsExpected False/AsExpected',
    ],
    [
      'etcd went away',
      running({ sourceConnected: false, away: 'Unavailable' }),
      'True/Published False/Unavailable False/AsExpected False/AsExpected',
    ],
    [
      'the copy is too old',
      running({ maxStalenessMs: 5, sourceConnected: false, away: 'PermissionDenied' }),
      'False/Stale False/PermissionDenied False/AsExpected False/AsExpected',
    ],
    [
      'a guard holds the copy',
      running({ phase: 'Held', error: 'EmptyRefused' }),
      'True/Published True/Connected True/EmptyRefused False/AsExpected',
    ],
    [
      'a guard holds the copy before the watch is open',
      running({ phase: 'Held', sourceConnected: false, error: 'LimitExceeded' }),
      'True/Published True/Connected True/LimitExceeded False/AsExpected',
    ],
    [
      'a guard holds the copy, and etcd went away',
      running({ phase: 'Held', sourceConnected: false, error: 'EmptyRefused', away: 'Unavailable' }),
      'True/Published False/Unavailable True/EmptyRefused False/AsExpected',
    ],
    [
      'etcd refuses to be read, beside a watch that was open before',
      running({ away: 'PermissionDenied', keyErrors }),
      'True/Published True/Connected True/AccessDenied False/AsExpected',
    ],
    [
      'a read of etcd failed beside the open watch',
      running({ away: 'DeadlineExceeded' }),
      'True/Published True/Connected False/AsExpected False/AsExpected',
    ],
    [
      'keys cannot be represented',
      running({ keyErrors }),
      'True/Published True/Connected True/KeyErrors False/AsExpected',
    ],
    [
      'the data does not fit one object',
      running({ published: false, error: 'TargetTooLarge' }),
      'False/TooLarge True/Connected True/TooLarge True/TooLarge',
    ],
    [
      'the object is not ours',
      running({ published: false, sourceConnected: false, error: 'TargetForeign' }),
      'False/Foreign False/Connecting True/Foreign True/Foreign',
    ],
    [
      'the API server is away',
      running({ error: 'KubeUnavailable' }),
      'True/Published True/Connected True/KubeUnavailable False/AsExpected',
    ],
    [
      'the API server and etcd are away',
      running({ sourceConnected: false, error: 'KubeUnavailable', away: 'Unavailable' }),
      'True/Published False/Unavailable True/KubeUnavailable False/AsExpected',
    ],
    [
      'it cannot run',
      { kind: 'refused' as const, reason: 'NotAllowed', message: 'x' },
      'False/NotAllowed Unknown/NotRunning False/NotRunning True/NotAllowed',
    ],
    [
      'sidecars make the files',
      { kind: 'rendered' as const, message: 'x' },
      'True/Rendered Unknown/Rendered False/AsExpected False/AsExpected',
    ],
  ])('%s', (_name, facts, expected) => {
    const { Ready, SourceConnected, Degraded, Stalled } = mirrorFindings(facts)
    const told = [Ready, SourceConnected, Degraded, Stalled].map(({ status, reason }) => `${status}/${reason}`)
    expect(told.join(' ')).toBe(expected)
  })

  test('Degraded names some of the keys and what to do', () => {
    expect(mirrorFindings(running({ keyErrors })).Degraded.message).toBe(
      'Keys that the target cannot hold: 9. a/b: has the same name as the key a.b',
    )
    expect(mirrorFindings(running({ phase: 'Held', error: 'EmptyRefused' })).Degraded.message).toBe(
      'Cannot EmptyRefused. Do it',
    )
  })
})

test('Ready and SourceConnected say what to do', () => {
  const { Ready, SourceConnected } = mirrorFindings(
    running({ published: false, sourceConnected: false, away: 'PermissionDenied' }),
  )
  expect([Ready.message, SourceConnected.message]).toEqual(Array(2).fill('Cannot PermissionDenied. Do it'))
  const denied = new AuthError('AuthenticationFailed', 'Cannot log in', { hint: 'Correct it' })
  const shared = {} as SharedConnection
  const connection = connectionFindings({ shared, fault: undefined }, denied)
  expect([connection.Ready.message, connection.SourceConnected.message]).toEqual(
    Array(2).fill('Cannot log in. Correct it'),
  )
})

describe('toConditions', () => {
  const at = (nowMs: number, facts = running()) =>
    toConditions(mirrorFindings(facts), [], { generation: 3, nowMs }).map((each) => each)

  test('a status that stays keeps the time of its transition, with a new reason too', () => {
    const before = at(1000)
    const held = running({ phase: 'Held', error: 'EmptyRefused' })
    const after = toConditions(mirrorFindings(held), before, { generation: 4, nowMs: 60_000 })
    const times = after.map(({ type, lastTransitionTime }) => [type, lastTransitionTime])
    expect(times).toEqual([
      ['Ready', '1970-01-01T00:00:01Z'],
      ['SourceConnected', '1970-01-01T00:00:01Z'],
      ['Degraded', '1970-01-01T00:01:00Z'],
      ['Stalled', '1970-01-01T00:00:01Z'],
    ])
  })

  test('sameMessages looks at messages alone', () => {
    expect(sameMessages(at(1000), at(2000))).toBe(true)
    expect(sameMessages(at(1000), at(1000, running({ publishedRevision: 8 })))).toBe(false)
  })

  test('sameConditions looks at status, reason and generation, not at times and messages', () => {
    expect(sameConditions(at(1000), at(2000, running({ publishedRevision: 8 })))).toBe(true)
    expect(sameConditions(at(1000), at(1000, running({ sourceConnected: false })))).toBe(false)
    const later = toConditions(mirrorFindings(running()), [], { generation: 4, nowMs: 1000 })
    expect(sameConditions(at(1000), later)).toBe(false)
  })
})

describe('currentFindings', () => {
  const starting = running({ published: false, sourceConnected: false })
  const resource = (findings: ReturnType<typeof mirrorFindings>, generation = 3) => ({
    metadata: { name: 'b', namespace: 'a', generation },
    status: { conditions: toConditions(findings, [], { generation: 3, nowMs: 0 }) },
  })
  const ready = mirrorFindings(running({ keyErrors }))

  const opened = { sourceConnected: false, stalenessMs: undefined, maxStalenessMs: 60_000, runningMs: 10 }

  test.each([
    ['has just started', starting],
    ['has opened its target, and not the watch', running(opened)],
    ['has opened the watch, and not proven yet how old the copy is', running({ ...opened, sourceConnected: true })],
  ])('a mirror that %s takes nothing back of a copy that is ready', (_, facts) => {
    expect(currentFindings(facts, resource(ready))).toMatchObject(ready)
  })

  test.each([
    ['of another spec', starting, resource(ready, 4)],
    ['that was not ready', starting, resource(mirrorFindings({ kind: 'refused', reason: 'NotAllowed', message: '' }))],
    ['without a status', starting, { metadata: { name: 'b' } }],
    ['once it knows better', running({ published: false, error: 'Unavailable' }), resource(ready)],
    ['once it knows why no watch is open', running({ ...opened, away: 'Unavailable' }), resource(ready)],
    [
      'once it had the time to prove how old the copy is',
      running({ ...opened, sourceConnected: true, runningMs: 60_000 }),
      resource(ready),
    ],
    ['once it has published', running(), resource(ready)],
  ])('says what it finds itself: %s', (_, facts, object) => {
    expect(currentFindings(facts, object)).toEqual(mirrorFindings(facts))
  })
})
