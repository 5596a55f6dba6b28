import { randomBytes } from 'node:crypto'
import type { Condition } from '../config/resource-status.ts'
import type { KubeClient } from '../kube/kube-client.ts'
import type { KubeObject } from '../kube/kube-object.ts'
import { apiVersionOf, type KubeResource } from '../kube/kube-resource.ts'
import { kubeTime } from '../kube/kube-time.ts'
import type { Clock } from '../util/clock.ts'
import type { Logger } from '../util/logger.ts'
import { EventLimit } from './event-limit.ts'
import { EVENTS, keyOf } from './operator-resources.ts'

export interface EventRecorderOptions {
  readonly client: KubeClient
  readonly clock: Clock
  readonly logger: Logger
}

export interface Transitions {
  readonly resource: KubeResource
  readonly object: KubeObject
  readonly before: readonly Condition[]
  readonly after: readonly Condition[]
  readonly signal: AbortSignal
}

/** Conditions of which False is the good news. */
const BAD: ReadonlySet<string> = new Set(['Degraded', 'Stalled'])
/** The API takes events of resources of the cluster in this namespace alone, and `kubectl describe` finds them there. */
const NAMESPACE_OF_CLUSTER_EVENTS = 'default'
/** Reasons that pass by themselves, or are told by another condition. */
const PASSING: ReadonlySet<string> = new Set(['Syncing', 'Connecting', 'NotRunning', 'NotConnected', 'Rendered'])

const MAX_MESSAGE = 1024

/**
 * Tells transitions of conditions as events and in the log. An event that cannot be written, or is one too many of its
 * object, is only logged.
 */
export class EventRecorder {
  readonly #options: EventRecorderOptions
  readonly #limit: EventLimit

  constructor(options: EventRecorderOptions) {
    this.#options = options
    this.#limit = new EventLimit(options.clock)
  }

  async transitions({ resource, object, before, after, signal }: Transitions): Promise<void> {
    const { logger } = this.#options
    for (const condition of after) {
      const { type, status, reason, message } = condition
      const known = before.find((each) => each.type === type)
      if (known?.status === status && known.reason === reason) continue
      // What is as it should be from the start is no news.
      if (known === undefined && isGood(condition) && type !== 'Ready') continue
      const { namespace, name } = object.metadata
      const told = { kind: resource.kind, namespace, name, condition: type, status, reason }
      if (isNormal(condition)) logger.info(told, 'condition changed')
      else logger.warn({ ...told, message }, 'condition changed')
      if (type === 'SourceConnected') continue
      const leftOut = this.#limit.take(`${resource.kind} ${keyOf(object)}`)
      if (leftOut === undefined) continue
      try {
        await this.#create(resource, object, condition, eventMessage(condition, leftOut), signal)
      } catch (err) {
        signal.throwIfAborted()
        logger.warn({ kind: resource.kind, namespace, name, err }, 'cannot write an event')
      }
    }
  }

  async #create(
    resource: KubeResource,
    object: KubeObject,
    condition: Condition,
    message: string,
    signal: AbortSignal,
  ): Promise<void> {
    const { client, clock } = this.#options
    const { namespace, name, uid, resourceVersion } = object.metadata
    const now = kubeTime(clock.now())
    const eventName = `${name.slice(0, 230)}.${randomBytes(8).toString('hex')}`
    const place = namespace ?? NAMESPACE_OF_CLUSTER_EVENTS
    const event = {
      metadata: { name: eventName, namespace: place },
      involvedObject: {
        apiVersion: apiVersionOf(resource),
        kind: resource.kind,
        namespace,
        name,
        uid,
        resourceVersion,
      },
      reason: condition.reason,
      message,
      type: isNormal(condition) ? 'Normal' : 'Warning',
      source: { component: 'etcd-mirror' },
      firstTimestamp: now,
      lastTimestamp: now,
      count: 1,
    }
    const context = { signal, fieldManager: 'etcd-mirror-operator' }
    await client.create({ resource: EVENTS, namespace: place, name: eventName }, event, context)
  }
}

function eventMessage({ type, status, message }: Condition, leftOut: number): string {
  const note = leftOut === 0 ? '' : ` (Changes before it without an event: ${leftOut}; the log has them.)`
  return `${type} is ${status}: ${message}`.slice(0, MAX_MESSAGE - note.length) + note
}

/** Nobody has to do anything about it. */
function isNormal(condition: Condition): boolean {
  return isGood(condition) || PASSING.has(condition.reason)
}

function isGood({ type, status }: Condition): boolean {
  return (status === 'False') === BAD.has(type)
}
