import { expect, test } from 'vitest'
import { MirrorState } from '../../../src/mirror/mirror-state.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { noMetrics } from '../../../src/util/metrics.ts'
import { ManualClock } from '../../support/manual-clock.ts'

test('MirrorState: a snapshot that is tried again shows nothing of how far the one before had got', () => {
  const options = { name: 'app', prefix: '/app/', target: 'a test', maxStalenessMs: 0 }
  const state = new MirrorState({ ...options, clock: new ManualClock(), logger: silentLogger, metrics: noMetrics })
  state.enter('Snapshotting')
  state.snapshotBegins(10)
  state.snapshotRead(5)
  expect(state.status().snapshot).toEqual({ read: 5, total: 10 })
  state.enter('Retrying')
  state.enter('Snapshotting')
  expect(state.status().snapshot).toBeUndefined()
})
