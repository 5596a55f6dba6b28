import type { Condition } from '../config/resource-status.ts'
import { kubeTime } from '../kube/kube-time.ts'

export const CONDITION_TYPES = ['Ready', 'SourceConnected', 'Degraded', 'Stalled'] as const
export type ConditionType = (typeof CONDITION_TYPES)[number]

/** What is the case, without the times. */
export interface Finding {
  readonly status: Condition['status']
  /** One CamelCase word. */
  readonly reason: string
  /** For people; no values. */
  readonly message: string
}

export type Findings = Readonly<Record<ConditionType, Finding>>

const MAX_MESSAGE = 1024

/** Conditions as they are written: a status that is the one of before keeps the time of its last transition. */
export function toConditions(
  findings: Findings,
  before: readonly Condition[],
  { generation, nowMs }: { readonly generation: number; readonly nowMs: number },
): readonly Condition[] {
  const now = kubeTime(nowMs)
  return CONDITION_TYPES.map((type): Condition => {
    const { status, reason, message } = findings[type]
    const known = before.find((condition) => condition.type === type)
    return {
      type,
      status,
      observedGeneration: generation,
      lastTransitionTime: known?.status === status ? known.lastTransitionTime : now,
      reason,
      message: message.slice(0, MAX_MESSAGE),
    }
  })
}

/** Whether people would read the same; what differs here alone can wait. */
export function sameMessages(a: readonly Condition[], b: readonly Condition[]): boolean {
  return a.map(({ message }) => message).join('\n') === b.map(({ message }) => message).join('\n')
}

/** Whether anybody who looks at the conditions would see a difference that is worth a write at once. */
export function sameConditions(a: readonly Condition[], b: readonly Condition[]): boolean {
  const facts = (list: readonly Condition[]) =>
    list.map(({ type, status, reason, observedGeneration }) => `${type} ${status} ${reason} ${observedGeneration}`)
  return facts(a).join() === facts(b).join()
}
