import type { Condition } from '../config/resource-status.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import type { KubeResource } from '../kube/kube-resource.ts'
import type { Clock } from '../util/clock.ts'
import { type Findings, sameConditions, sameMessages, toConditions } from './conditions.ts'
import type { EventRecorder } from './event-recorder.ts'
import { keyOf } from './operator-resources.ts'

/** What every status has. */
interface AnyStatus {
  readonly observedGeneration?: number | undefined
  readonly conditions?: readonly Condition[] | undefined
}

export interface StatusWriterOptions {
  readonly client: KubeClient
  readonly events: EventRecorder
  readonly clock: Clock
  /** Hears of what was written, before a watch tells. */
  readonly onWritten: (object: KubeObject) => void
}

export interface StatusWrite<Status extends AnyStatus> {
  readonly resource: KubeResource
  readonly object: KubeObject
  readonly findings: Findings
  /** What changes all the time: told now and then. What is left out stays as it is. */
  readonly facts: Partial<Status>
  /** What goes along with a write, and is worth none. */
  readonly passing?: Partial<Status>
  /** What is worth a write at once beside the conditions. */
  readonly urgent?: Partial<Status>
  readonly signal: AbortSignal
}

/** What changes all the time is written at most so often. */
const FACTS_MS = 30_000
const FIELD_MANAGER = 'etcd-mirror-operator'

/**
 * Writes status when a condition or the generation it is about changes, and otherwise seldom: an idle mirror costs the API
 * server nothing.
 */
export class StatusWriter<Status extends AnyStatus> {
  readonly #options: StatusWriterOptions
  readonly #writtenMs = new Map<string, number>()

  constructor(options: StatusWriterOptions) {
    this.#options = options
  }

  forget(key: string): void {
    this.#writtenMs.delete(key)
  }

  /** Resolves with after how many milliseconds something is left to write; undefined = all is told. Rejects with `KubeError`. */
  async write(write: StatusWrite<Status>): Promise<number | undefined> {
    const { object, findings, facts, passing, urgent = {}, resource, signal } = write
    const { client, clock, events, onWritten } = this.#options
    const key = keyOf(object)
    const before = (object.status ?? {}) as AnyStatus
    const known = before.conditions ?? []
    const generation = object.metadata.generation ?? 0
    const conditions = toConditions(findings, known, { generation, nowMs: clock.now() })
    const isUrgent = !sameConditions(known, conditions) || differs(before, urgent)
    if (!isUrgent) {
      if (!differs(before, facts) && sameMessages(known, conditions)) return undefined
      const waitMs = (this.#writtenMs.get(key) ?? Number.NEGATIVE_INFINITY) + FACTS_MS - clock.monotonic()
      if (waitMs > 0) return waitMs
    }
    const status = { ...before, ...facts, ...passing, ...urgent, observedGeneration: generation, conditions }
    const { namespace, name } = object.metadata
    const written = await client.update(
      { resource, namespace, name },
      { ...object, status },
      {
        signal,
        fieldManager: FIELD_MANAGER,
        subresource: 'status',
      },
    )
    this.#writtenMs.set(key, clock.monotonic())
    onWritten(written)
    await events.transitions({ resource, object, before: known, after: conditions, signal })
    return undefined
  }
}

function differs(before: object, after: object): boolean {
  const known = before as Readonly<Record<string, unknown>>
  return Object.entries(after).some(
    ([field, value]) => value !== undefined && JSON.stringify(known[field]) !== JSON.stringify(value),
  )
}
