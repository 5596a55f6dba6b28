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

export interface WantedStatus<Status extends AnyStatus> {
  readonly resource: KubeResource
  readonly object: KubeObject
  readonly findings: Findings
  /** What changes all the time: told now and then. What is left out stays as it is. */
  readonly facts: Partial<Status>
  /** What goes along with a write, and is worth none. */
  readonly passing?: Partial<Status>
  /** What is worth a write at once beside the conditions. */
  readonly urgent?: Partial<Status>
}

export interface StatusWrite<Status extends AnyStatus> extends WantedStatus<Status> {
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

  /** Whether something is to be written now. Cheap. */
  isDue(wanted: WantedStatus<Status>): boolean {
    return this.#dueMs(wanted) === 0
  }

  /** Writes what is due. Resolves with after how many milliseconds something is left to write; undefined = all is told. Rejects with `KubeError`. */
  async write({ signal, ...wanted }: StatusWrite<Status>): Promise<number | undefined> {
    const dueMs = this.#dueMs(wanted)
    if (dueMs !== 0) return dueMs
    const { client, clock, events, onWritten } = this.#options
    const { object, facts, passing, urgent, resource } = wanted
    const { generation: observedGeneration = 0, namespace, name } = object.metadata
    const conditions = this.#conditionsOf(wanted)
    const status = { ...statusOf(object), ...facts, ...passing, ...urgent, observedGeneration, conditions }
    const context = { signal, fieldManager: FIELD_MANAGER, subresource: 'status' } as const
    const written = await client.update({ resource, namespace, name }, { ...object, status }, context)
    this.#writtenMs.set(keyOf(object), clock.monotonic())
    onWritten(written)
    await events.transitions({ resource, object, before: conditionsIn(object), after: conditions, signal })
    return undefined
  }

  /** After how many milliseconds something is to be written, 0 = now; undefined = all is told. */
  #dueMs(wanted: WantedStatus<Status>): number | undefined {
    const { object, facts, urgent = {} } = wanted
    const [before, known] = [statusOf(object), conditionsIn(object)]
    const conditions = this.#conditionsOf(wanted)
    if (!sameConditions(known, conditions) || differs(before, urgent)) return 0
    if (!differs(before, facts) && sameMessages(known, conditions)) return undefined
    const writtenMs = this.#writtenMs.get(keyOf(object)) ?? Number.NEGATIVE_INFINITY
    return Math.max(0, writtenMs + FACTS_MS - this.#options.clock.monotonic())
  }

  #conditionsOf({ object, findings }: WantedStatus<Status>): readonly Condition[] {
    const { generation = 0 } = object.metadata
    return toConditions(findings, conditionsIn(object), { generation, nowMs: this.#options.clock.now() })
  }
}

function statusOf({ status }: KubeObject): AnyStatus {
  return (status ?? {}) as AnyStatus
}

function conditionsIn(object: KubeObject): readonly Condition[] {
  return statusOf(object).conditions ?? []
}

/** Facts are numbers and texts. */
function differs(before: object, after: object): boolean {
  const known = before as Readonly<Record<string, unknown>>
  return Object.entries(after).some(([field, value]) => value !== undefined && known[field] !== value)
}
