import { expect, test } from 'vitest'
import { AuthError } from '../../../src/etcd/auth-error.ts'
import { UnavailableError } from '../../../src/etcd/unavailable-error.ts'
import { GuardError } from '../../../src/mirror/guard-error.ts'
import { MirrorState } from '../../../src/mirror/mirror-state.ts'
import { silentLogger } from '../../../src/util/logger.ts'
import { noMetrics } from '../../../src/util/metrics.ts'
import { ManualClock } from '../../support/manual-clock.ts'

function mirrorState(): MirrorState {
  const options = { name: 'app', prefix: '/app/', target: 'a test', maxStalenessMs: 0 }
  return new MirrorState({ ...options, clock: new ManualClock(), logger: silentLogger, metrics: noMetrics })
}

test('MirrorState: a snapshot that is tried again shows nothing of how far the one before had got', () => {
  const state = mirrorState()
  state.enter('Snapshotting')
  state.snapshotBegins(10)
  state.snapshotRead(5)
  expect(state.status().snapshot).toEqual({ read: 5, total: 10 })
  state.enter('Retrying')
  state.enter('Snapshotting')
  expect(state.status().snapshot).toBeUndefined()
})

test('MirrorState: what is wrong with etcd is told beside a hold, until etcd answers', () => {
  const state = mirrorState()
  const told = () => {
    const { lastError, sourceError, sourceConnected } = state.status()
    return { lastError: lastError?.reason, sourceError: sourceError?.reason, sourceConnected }
  }
  const lastError = 'EmptyRefused'
  state.connected()
  state.held(new GuardError('EmptyRefused', 'Cannot publish: nothing is left', ''))
  expect(told()).toEqual({ lastError, sourceError: undefined, sourceConnected: true })
  state.probeFailed(new AuthError('PermissionDenied', 'Cannot read'))
  expect(told()).toEqual({ lastError, sourceError: 'PermissionDenied', sourceConnected: true })
  state.sourceFailed(new UnavailableError('Unavailable', 'Cannot reach etcd'))
  expect(told()).toEqual({ lastError, sourceError: 'Unavailable', sourceConnected: false })
  state.answered()
  expect(told()).toEqual({ lastError, sourceError: undefined, sourceConnected: false })
})
