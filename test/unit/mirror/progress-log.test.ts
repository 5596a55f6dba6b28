import { expect, test } from 'vitest'
import { ProgressLog } from '../../../src/mirror/progress-log.ts'
import type { Logger } from '../../../src/util/logger.ts'

test('ProgressLog says every five seconds how far the snapshot is, and nothing of a short one', () => {
  let nowMs = 0
  const lines: unknown[] = []
  const logger = { info: (fields: object, message: string) => lines.push({ ...fields, message }) } as unknown as Logger
  const clock = { now: () => nowMs, monotonic: () => nowMs, sleep: async () => undefined }
  const progress = new ProgressLog({ name: 'app', clock, logger }, 100)
  for (nowMs = 0; nowMs <= 12_000; nowMs += 1000) progress.read(5)
  expect(lines).toEqual([
    { mirror: 'app', read: 30, total: 100, seconds: 5, message: 'reading a snapshot' },
    { mirror: 'app', read: 55, total: 100, seconds: 10, message: 'reading a snapshot' },
  ])
  progress.read(90)
  expect(progress.progress).toEqual({ read: 155, total: 155 })
})
