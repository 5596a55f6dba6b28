import type { EtcdMirrorStatus } from '../config/resource-status.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import { CONDITION_TYPES, type Findings } from './conditions.ts'
import { type MirrorFacts, mirrorFindings } from './mirror-findings.ts'

/**
 * What to say of a mirror that may stand already. A mirror that has just been started here, and knows nothing yet, takes
 * nothing back of a copy that is ready: the leader before, or the same operator before its connection changed, has found
 * so for this very spec.
 */
export function currentFindings(facts: MirrorFacts, resource: KubeObject): Findings {
  return (knowsNothing(facts) ? standingFindings(resource) : undefined) ?? mirrorFindings(facts)
}

/** Neither that all is well nor what is not. */
function knowsNothing(facts: MirrorFacts): boolean {
  if (facts.kind !== 'running' || facts.status.lastError !== undefined) return false
  const { published, sourceConnected } = facts.status
  return !published || !sourceConnected || isOfUnknownAge(facts.status)
}

/** Too old is a copy that was not proven to be new for `maxStaleness`, and so long had a mirror to prove it. */
function isOfUnknownAge({ maxStalenessMs, stalenessMs, runningMs }: MirrorStatus): boolean {
  return stalenessMs === undefined && runningMs < maxStalenessMs
}

/** What was written of this generation, when that is good. */
function standingFindings({ metadata, status }: KubeObject): Findings | undefined {
  const { conditions = [] } = (status ?? {}) as EtcdMirrorStatus
  const [ready, source, degraded, stalled] = CONDITION_TYPES.map((type) =>
    conditions.find((each) => each.type === type),
  )
  if (ready?.status !== 'True' || ready.observedGeneration !== metadata.generation) return undefined
  if (source === undefined || degraded === undefined || stalled === undefined) return undefined
  return { Ready: ready, SourceConnected: source, Degraded: degraded, Stalled: stalled }
}
