import type { MirrorStatus } from '../mirror/mirror-status.ts'

/** What was known of a copy by the mirror that kept it before. */
export interface Predecessor {
  readonly status: MirrorStatus
  /** Monotonic milliseconds at which `status` was true. */
  readonly atMs: number
  /** Its copy stands for the same keys, rendered the same way. */
  readonly isSameCopy: boolean
}

/**
 * The status of a mirror that took over another one's root: until it has opened the root, what stands there is what its
 * predecessor published, and the same copy is as fresh as it was known to be. Without this a reload would make a pod
 * unready.
 */
export function inheritedStatus(
  status: MirrorStatus,
  { status: before, atMs, isSameCopy }: Predecessor,
  monotonicMs: number,
): MirrorStatus {
  const isKnown = status.lastKnownEqualMs !== undefined || !isSameCopy || before.stalenessMs === undefined
  const { lastKnownEqualMs, stalenessMs } = isKnown
    ? status
    : { ...before, stalenessMs: before.stalenessMs + monotonicMs - atMs }
  const { prefix, target, phase, maxStalenessMs, sourceConnected, lastError, sourceError } = status
  const own = { prefix, target, phase, maxStalenessMs, sourceConnected, lastError, sourceError }
  const lastPublishedMs = status.lastPublishedMs ?? before.lastPublishedMs
  return { ...(phase === 'Opening' ? { ...before, ...own } : status), lastKnownEqualMs, stalenessMs, lastPublishedMs }
}
