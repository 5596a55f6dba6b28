import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import type { KubeClient } from '../../kube/kube-client.ts'
import type { OwnerReference } from '../../kube/kube-object.ts'
import { type Hold, Lease } from '../../kube/lease.ts'
import { SinkError } from '../../mirror/sink-error.ts'
import type { Clock } from '../../util/clock.ts'
import type { Logger } from '../../util/logger.ts'
import type { Metrics } from '../../util/metrics.ts'
import type { RenderingTenant } from '../render/document-in-pool.ts'
import type { FollowObjects } from './follow-objects.ts'

/** What every sink of Kubernetes objects needs. */
export interface ObjectSinkOptions {
  /** Resolves with the client that all mirrors share; rejects with `KubeError`. */
  readonly connect: () => Promise<KubeClient>
  readonly mirrorName: string
  /** Stripped from every key. */
  readonly prefix: Buffer
  /** Of everything that decides what the objects hold: another one than before needs a snapshot. */
  readonly configHash: string
  /** Default: that of the credentials. */
  readonly namespace?: string | undefined
  /** What the objects go with; default: nothing. */
  readonly owner?: OwnerReference | undefined
  /** Whether the owner is there and is to stay. Default: it is. */
  readonly ownerStays?: ((signal: AbortSignal) => Promise<boolean>) | undefined
  /** What says whether it may write. Default: a Lease of its own, so that of many processes one does. */
  readonly hold?: Hold | undefined
  /** Where documents are rendered. Default: here. */
  readonly rendering?: RenderingTenant | undefined
  /** How changes of the objects are noticed. Default: by a watch for each mirror. */
  readonly follow?: FollowObjects | undefined
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: Metrics
}

/** The connection to the API and the right to write: one process has it at a time. */
export class TargetSession {
  readonly #options: ObjectSinkOptions
  readonly #identity = `${hostname()}_${randomUUID()}`
  readonly #target: string
  #lease: Lease | undefined

  constructor(options: ObjectSinkOptions, target: string) {
    this.#options = options
    this.#target = target
  }

  /** undefined before `begin`. */
  get hold(): Hold | undefined {
    return this.#options.hold ?? this.#lease
  }

  /** Rejects with `SinkError` TargetBusy while another process writes, and with `KubeError`. */
  async begin(signal: AbortSignal): Promise<{ readonly client: KubeClient; readonly namespace: string }> {
    const { connect, mirrorName, clock, hold } = this.#options
    const client = await connect()
    const namespace = this.#options.namespace ?? client.namespace
    if (hold !== undefined) return { client, namespace }
    const name = leaseName(mirrorName)
    this.#lease ??= new Lease({ client, namespace, name, identity: this.#identity, clock })
    const holder = await this.#lease.acquire(signal)
    if (holder === undefined) return { client, namespace }
    throw new SinkError(
      'TargetBusy',
      this.#target,
      `Cannot write ${this.#target}: ${holder} holds the Lease ${namespace}/${name}`,
      { hint: 'It takes over within 15 s when the other process ends. Run one process, or give each its own mirror.' },
    )
  }

  /** Lets the next process write. Idempotent. */
  async end(): Promise<void> {
    await this.#lease?.release()
  }
}

/** Of mirrors of one name in one namespace one writes. */
export function leaseName(mirror: string): string {
  return `etcd-mirror-${mirror}`
}
