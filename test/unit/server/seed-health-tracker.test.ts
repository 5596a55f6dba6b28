import { describe, expect, test } from 'vitest'

import type { MirrorStatus } from '../../../src/mirror/mirror-status.ts'
import { SeedHealthTracker } from '../../../src/server/seed-health-tracker.ts'
import { failure, mirrorStatus } from './mirror-status-sample.ts'

const following = mirrorStatus()
const starting = mirrorStatus({ sourceConnected: false, phase: 'Connecting' })
const lost = mirrorStatus({ sourceConnected: false, phase: 'Retrying', sourceError: failure('Unavailable') })
const targetFull = mirrorStatus({ sourceConnected: false, phase: 'Retrying', lastError: failure('TargetFull') })

function tracker() {
  const clock = { nowMs: 1000, now: () => clock.nowMs }
  return { clock, health: new SeedHealthTracker({ version: '1.2.3', clock }) }
}

describe('SeedHealthTracker', () => {
  test.each<[string, MirrorStatus[], string]>([
    ['no mirror is set up', [], 'Init'],
    ['one mirror has not connected yet', [following, starting], 'Init'],
    ['every mirror is connected', [following, following], 'Ok'],
    ['one mirror cannot reach etcd', [following, lost, starting], 'Error'],
    [
      'one mirror cannot reach etcd, and a guard holds its copy',
      [{ ...lost, lastError: failure('EmptyRefused') }],
      'Error',
    ],
    ['the target fails before etcd was asked', [targetFull], 'Init'],
    ['the target fails while etcd is connected', [{ ...targetFull, sourceConnected: true }], 'Ok'],
  ])('when %s', (_, mirrors, state) => {
    expect(tracker().health.observe(mirrors).state).toBe(state)
  })

  test('never falls back to Init: a mirror that takes a new snapshot has not lost etcd, nor found it', () => {
    const { health } = tracker()
    health.observe([following])
    expect(health.observe([starting]).state).toBe('Ok')
    health.observe([lost])
    expect(health.observe([starting])).toMatchObject({
      state: 'Error',
      plugins: [{ name: 'etcd', state: 'Error', error: 'Unavailable' }],
    })
  })

  test('dates the last change by state and error, and the last update by the look', () => {
    const { clock, health } = tracker()
    const times = (mirrors: MirrorStatus[], nowMs: number) => {
      clock.nowMs = nowMs
      const { startedAt, lastUpdate, plugins } = health.observe(mirrors)
      const lastChange = plugins[0]?.lastChange ?? startedAt
      return [startedAt, lastChange, lastUpdate].map((time) => time.getTime())
    }
    expect(times([starting], 2000)).toEqual([1000, 1000, 2000])
    expect(times([following], 3000)).toEqual([1000, 3000, 3000])
    expect(times([following], 4000)).toEqual([1000, 3000, 4000])
    expect(times([lost], 5000)).toEqual([1000, 5000, 5000])
    expect(times([{ ...lost, sourceError: failure('NoLeader') }], 6000)).toEqual([1000, 6000, 6000])
  })
})
