import { expect, test } from 'vitest'

import { Heartbeat } from '../../../src/observe/heartbeat.ts'

test('Heartbeat passes up to the limit, fails beyond it with both figures, and a beat heals it', () => {
  let nowMs = 5000
  const heartbeat = new Heartbeat({ monotonic: () => nowMs })
  nowMs += 30_000
  expect(heartbeat.check(30_000).ok).toBe(true)
  nowMs += 12_000
  expect(heartbeat.check(30_000)).toEqual({ ok: false, message: 'no sign of life for 42 s, limit 30 s' })
  heartbeat.beat()
  expect(heartbeat.check(30_000).ok).toBe(true)
})
