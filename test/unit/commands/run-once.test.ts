import { expect, test } from 'vitest'
import type { RunningProcess } from '../../../src/assemble/running-process.ts'
import { exitCodeOf } from '../../../src/commands/exit-code.ts'
import { runOnce } from '../../../src/commands/run-once.ts'
import { abortable } from '../../../src/util/abortable.ts'
import { ManualClock } from '../../support/manual-clock.ts'
import { eventually } from '../../support/wait.ts'

const aborted = (signal: AbortSignal) => abortable(new Promise<never>(() => undefined), signal)

/** A process whose copies equal etcd. */
function syncedProcess(told: RunningProcess['told']): RunningProcess {
  const parts: Partial<RunningProcess> = {
    run: async (signal) => await aborted(signal).catch(() => undefined),
    synced: async () => undefined,
    told,
    status: () => [{ name: 'app', lastKnownEqualMs: 1 }] as unknown as ReturnType<RunningProcess['status']>,
  }
  return parts as RunningProcess
}

test('runOnce waits for hooks no longer than its timeout, and says that they are what is missing', async () => {
  const clock = new ManualClock()
  const { signal } = new AbortController()
  const running = runOnce(syncedProcess(aborted), { signal, timeoutMs: 5000, clock })
  const failure = running.catch((error: unknown) => error)
  await eventually(() => expect(clock.sleepers).toBe(1))
  clock.advance(5000)
  expect(await failure).toMatchObject({ code: 'HookFailed', message: expect.stringContaining('within 5 s: a hook') })
  expect(exitCodeOf(await failure)).toBe(8)
})

test('runOnce that is interrupted while hooks run ends with the abort reason', async () => {
  const abort = new AbortController()
  const running = runOnce(syncedProcess(aborted), {
    signal: abort.signal,
    timeoutMs: undefined,
    clock: new ManualClock(),
  })
  const failure = running.catch((error: unknown) => error)
  abort.abort(new Error('stopping'))
  expect(await failure).toMatchObject({ message: 'stopping' })
})
