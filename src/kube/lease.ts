import type { Clock } from '../util/clock.ts'
import type { KubeClient, ObjectRef } from './kube-client.ts'
import { KubeError } from './kube-error.ts'
import type { KubeObject } from './kube-object.ts'
import { LEASES } from './kube-resource.ts'

const DURATION_MS = 15_000
const RENEW_MS = 5000
/** A renewal that failed is tried again while the lease is trusted yet. */
const RETRY_MS = 1000
/** Before the others may take over, by some time for what is under way and for clocks that run differently fast. */
const TRUSTED_MS = 10_000

export interface LeaseOptions {
  readonly client: KubeClient
  readonly namespace: string
  readonly name: string
  /** Unique to this process. */
  readonly identity: string
  readonly clock: Clock
}

/** Whether one may write. */
export interface Hold {
  /** Whether nobody else may now. */
  readonly isHeld: boolean
}

interface LeaseSpec {
  readonly holderIdentity?: string
  readonly leaseDurationSeconds?: number
  readonly acquireTime?: string
  readonly renewTime?: string
  readonly leaseTransitions?: number
}

/**
 * A Lease of coordination.k8s.io: of many processes one may write. Nobody's wall clock is trusted: a lease is taken over
 * when it was seen unchanged for its whole duration by the own monotonic clock.
 */
export class Lease implements Hold {
  /** How long it is its holder's unless that renews it. */
  static readonly durationMs = DURATION_MS
  readonly ref: ObjectRef
  readonly #options: LeaseOptions
  #seen: { readonly version: string; readonly atMs: number } | undefined
  #held: KubeObject | undefined
  #renewedMs = Number.NEGATIVE_INFINITY
  #answeredMs: number | undefined
  #failure: unknown
  #renewal: { readonly stop: AbortController; readonly ended: Promise<void> } | undefined

  constructor(options: LeaseOptions) {
    this.#options = options
    this.ref = { resource: LEASES, namespace: options.namespace, name: options.name }
  }

  /** Whether nobody else can hold it now. Becomes false by itself when it cannot be renewed. */
  get isHeld(): boolean {
    return this.#held !== undefined && this.#options.clock.monotonic() - this.#renewedMs < TRUSTED_MS
  }

  /** For how long the API has not let us do with it what we have to, whoever holds it; undefined = it never did. */
  get silentMs(): number | undefined {
    return this.#answeredMs === undefined ? undefined : this.#options.clock.monotonic() - this.#answeredMs
  }

  /** Why the last try failed; undefined = it did not. */
  get failure(): unknown {
    return this.#failure
  }

  /**
   * Takes the lease if it is free or was abandoned, and renews it until `release`. Resolves with who holds it otherwise;
   * undefined = we do. Rejects with `KubeError` and with the abort reason.
   */
  async acquire(signal: AbortSignal): Promise<string | undefined> {
    if (this.isHeld) return undefined
    await this.#stopRenewal()
    const holder = await this.#ask(() => this.#take(signal))
    if (holder === undefined) this.#startRenewal()
    return holder
  }

  /** Resolves with who holds it; undefined = we do. */
  async #take(signal: AbortSignal): Promise<string | undefined> {
    const found = await this.#options.client.get(this.ref, signal)
    const holder = this.#otherHolder(found)
    if (holder !== undefined) return holder
    try {
      await this.#write(found, signal)
    } catch (error) {
      if (error instanceof KubeError && error.code === 'KubeConflict') return 'another process'
      throw error
    }
    return undefined
  }

  /** That it may be read proves nothing while it cannot be written: only the whole of what we want counts. */
  async #ask<T>(question: () => Promise<T>): Promise<T> {
    try {
      const answer = await question()
      this.#answeredMs = this.#options.clock.monotonic()
      this.#failure = undefined
      return answer
    } catch (error) {
      this.#failure = error
      throw error
    }
  }

  /** Lets it go, so that the next one need not wait. Idempotent; does not reject. */
  async release(): Promise<void> {
    await this.#stopRenewal()
    const held = this.#held
    this.#held = undefined
    if (held === undefined) return
    const spec = { ...specOf(held), holderIdentity: '', leaseDurationSeconds: 1 }
    const context = { signal: AbortSignal.timeout(RENEW_MS), fieldManager: 'etcd-mirror' }
    await this.#options.client.update(this.ref, { ...held, spec }, context).catch(() => undefined)
  }

  /** undefined = the lease is free, ours, or was not renewed for its duration. */
  #otherHolder(found: KubeObject | undefined): string | undefined {
    const { identity, clock } = this.#options
    if (found === undefined) return undefined
    const { holderIdentity = '', leaseDurationSeconds = DURATION_MS / 1000 } = specOf(found)
    const version = `${found.metadata.uid} ${found.metadata.resourceVersion}`
    if (this.#seen?.version !== version) this.#seen = { version, atMs: clock.monotonic() }
    if (holderIdentity === '' || holderIdentity === identity) return undefined
    const isAbandoned = clock.monotonic() - this.#seen.atMs > leaseDurationSeconds * 1000
    return isAbandoned ? undefined : holderIdentity
  }

  async #write(found: KubeObject | undefined, signal: AbortSignal): Promise<void> {
    const { client, identity, clock, namespace, name } = this.#options
    const before = specOf(found)
    const now = new Date(clock.now()).toISOString().replace('Z', '000Z')
    const isSame = before.holderIdentity === identity
    const spec: LeaseSpec = {
      holderIdentity: identity,
      leaseDurationSeconds: DURATION_MS / 1000,
      acquireTime: isSame ? (before.acquireTime ?? now) : now,
      renewTime: now,
      leaseTransitions: (before.leaseTransitions ?? 0) + (isSame || found === undefined ? 0 : 1),
    }
    // Before the request: from when on the server counts it cannot be known.
    const startedMs = clock.monotonic()
    const context = { signal, fieldManager: 'etcd-mirror' }
    this.#held =
      found === undefined
        ? await client.create(this.ref, { metadata: { name, namespace }, spec }, context)
        : await client.update(this.ref, { ...found, spec }, context)
    this.#renewedMs = startedMs
  }

  #startRenewal(): void {
    const stop = new AbortController()
    this.#renewal = { stop, ended: this.#renew(stop.signal) }
  }

  async #stopRenewal(): Promise<void> {
    this.#renewal?.stop.abort()
    await this.#renewal?.ended
    this.#renewal = undefined
  }

  async #renew(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options
    while (!signal.aborted) {
      try {
        const dueMs = this.#renewedMs + RENEW_MS - clock.monotonic()
        await clock.sleep(Math.max(dueMs, RETRY_MS), signal)
        const deadline = AbortSignal.any([signal, AbortSignal.timeout(RENEW_MS)])
        await this.#ask(() => this.#renewOnce(deadline))
      } catch {
        // Trusted no longer than it was renewed: `isHeld` tells.
      }
    }
  }

  async #renewOnce(signal: AbortSignal): Promise<void> {
    const { client, identity } = this.#options
    try {
      await this.#write(this.#held, signal)
    } catch (error) {
      if (!(error instanceof KubeError && error.code === 'KubeConflict')) throw error
      // An answer that was lost, or somebody who edits leases by hand: only another holder ends it.
      const found = await client.get(this.ref, signal)
      if (specOf(found).holderIdentity === identity) this.#held = found
      else this.#lost()
    }
  }

  #lost(): void {
    this.#held = undefined
    this.#renewedMs = Number.NEGATIVE_INFINITY
    this.#renewal?.stop.abort()
  }
}

function specOf(lease: KubeObject | undefined): LeaseSpec {
  return (lease?.spec ?? {}) as LeaseSpec
}
