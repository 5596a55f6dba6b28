import type { EtcdMirrorStatus } from '../config/resource-status.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import { CONDITION_TYPES, type Findings } from './conditions.ts'
import { type MirrorFacts, mirrorFindings } from './mirror-findings.ts'

/**
 * What to say of a mirror that may stand already. A mirror that has just been started here, and knows nothing yet, does not
 * take back that the copy is ready: the leader before, or the same operator before its connection changed, has found so
 * for this very spec.
 */
export function currentFindings(facts: MirrorFacts, resource: KubeObject): Findings {
  return (knowsNothing(facts) ? standingFindings(resource) : undefined) ?? mirrorFindings(facts)
}

function knowsNothing(facts: MirrorFacts): boolean {
  return facts.kind === 'running' && !facts.status.published && facts.status.lastError === undefined
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
