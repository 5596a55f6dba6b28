import type { RunningProcess } from '../assemble/running-process.ts'
import { abortable } from '../util/abortable.ts'
import type { Clock } from '../util/clock.ts'
import { type ErrorCode, EtcdMirrorError } from '../util/etcd-mirror-error.ts'

export interface RunOnceOptions {
  readonly signal: AbortSignal
  /** undefined = as long as it takes. */
  readonly timeoutMs: number | undefined
  readonly clock: Clock
}

/**
 * Runs the mirrors until every copy is known to equal etcd, or is the fallback that was configured for its absence, and the
 * hooks have heard of it; then lets the targets go. Probes are not served: an init container has none. Throws `GuardError`
 * as soon as a guard holds a copy, `EtcdMirrorError` HookFailed when a hook failed to the end and, after the timeout, what a
 * mirror was still failing with; rethrows the abort reason.
 */
export async function runOnce(running: RunningProcess, { signal, timeoutMs, clock }: RunOnceOptions): Promise<void> {
  const stop = new AbortController()
  const ended = running.run(AbortSignal.any([signal, stop.signal]), { compacts: false })
  try {
    const isTimely = await Promise.race([
      abortable(running.synced(), signal)
        .then(() => running.told(AbortSignal.any([signal, stop.signal])))
        .then(() => true),
      timeoutMs === undefined ? new Promise<never>(() => {}) : expired(clock, timeoutMs, stop.signal),
    ])
    if (!isTimely) throw timeoutError(running, timeoutMs ?? 0)
  } finally {
    stop.abort()
    await ended
  }
}

async function expired(clock: Clock, timeoutMs: number, signal: AbortSignal): Promise<boolean> {
  await clock.sleep(timeoutMs, signal).catch(() => undefined)
  return false
}

function timeoutError(running: RunningProcess, timeoutMs: number): EtcdMirrorError {
  const late = running.status().filter(({ lastKnownEqualMs }) => lastKnownEqualMs === undefined)
  if (late.length === 0) {
    const message = `Cannot finish within ${timeoutMs / 1000} s: a hook goes on, or is tried again`
    return new EtcdMirrorError('HookFailed', message, true, { hint: 'What was published stays.' })
  }
  const failed = late.find(({ lastError }) => lastError !== undefined) ?? late[0]
  const { reason = 'DeadlineExceeded', message = 'still syncing', hint } = failed?.lastError ?? {}
  return new EtcdMirrorError(
    reason as ErrorCode,
    `Cannot finish within ${timeoutMs / 1000} s: mirror ${failed?.name}: ${message}`,
    true,
    hint === undefined ? {} : { hint },
  )
}
