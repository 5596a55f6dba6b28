import type { MirrorStatus } from '../mirror/mirror-status.ts'
import type { HealthRegistry, HealthResult } from '../observe/health-registry.ts'
import type { Heartbeat } from '../observe/heartbeat.ts'

/** A mirror beats at least once a minute, also while etcd is away; a target that blocks for this long does not come back. */
const MAX_SILENT_MS = 300_000

export interface ObservedMirror {
  readonly name: string
  readonly heartbeat: Heartbeat
  status(): MirrorStatus
}

/**
 * The checks of one mirror behind the probes: it moves, it has a copy that is fresh enough, its first copy is there.
 * Returns what takes them out again.
 */
export function registerMirrorHealth(health: HealthRegistry, mirror: ObservedMirror): () => void {
  const name = `mirror-${mirror.name}`
  const removals = [
    health.add({ name, kind: 'live', check: () => mirror.heartbeat.check(MAX_SILENT_MS) }),
    health.add({ name, kind: 'ready', check: () => readiness(mirror.status()) }),
    health.add({ name, kind: 'startup', check: () => publication(mirror.status()) }),
  ]
  return () => {
    for (const remove of removals) remove()
  }
}

function readiness(status: MirrorStatus): HealthResult {
  const published = publication(status)
  if (!published.ok || status.maxStalenessMs === 0) return published
  const { stalenessMs = Number.POSITIVE_INFINITY, maxStalenessMs } = status
  if (stalenessMs <= maxStalenessMs) return published
  const since = Number.isFinite(stalenessMs) ? `for ${Math.round(stalenessMs / 1000)} s` : 'since the start'
  return { ok: false, message: `not known to equal etcd ${since}` }
}

function publication({ published, publishedRevision, lastError }: MirrorStatus): HealthResult {
  if (published) return { ok: true, message: `revision ${publishedRevision}` }
  return { ok: false, message: lastError ? `nothing published: ${lastError.reason}` : 'nothing published yet' }
}
