import { abortable } from '../util/abortable.ts'
import { type Clock, systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { OperationOptions } from './key-value-broker.ts'
import { leadershipLost } from './leadership.ts'
import type { Operations } from './operations.ts'

/** A lease that is kept alive. */
export interface LiveLease {
  readonly id: bigint
  /** Aborts (reason `LeadershipLost`) as soon as etcd may have ended the lease, and when the session is closed. */
  readonly lost: AbortSignal
}

/** Renewed so often per time to live; after a failure several times as often. */
const RENEWALS = 3
const RETRIES = 12

/**
 * One lease at a time, granted when it is first needed, kept alive, and granted anew when it ended: an outage longer than
 * its time to live costs the keys that hung on it, not the use of the connection.
 */
export class SessionLease {
  readonly #operations: Operations
  readonly #ttlSeconds: number
  readonly #clock: Clock
  readonly #closing = new AbortController()
  #current: Promise<LiveLease> | undefined
  /** What `current` has resolved with. */
  #granted: LiveLease | undefined
  #loop: Promise<void> | undefined
  #closed: Promise<void> | undefined

  /** `ttlSeconds`: whole, > 0; etcd raises it when it is below its own minimum. */
  constructor(operations: Operations, ttlSeconds: number, clock: Clock = systemClock) {
    this.#operations = operations
    this.#ttlSeconds = ttlSeconds
    this.#clock = clock
  }

  /** Rejects with what the grant rejects with, and with the abort reason. */
  async lease({ signal }: OperationOptions = {}): Promise<LiveLease> {
    const either = this.#operations.signalOf(signal)
    either.throwIfAborted()
    this.#current ??= this.#grant()
    return await abortable(this.#current, either)
  }

  /** Calls `write` with a lease; once more, with a new one, when etcd says that there is no such lease. */
  async use<Result>(write: (lease: bigint) => Promise<Result>, options: OperationOptions): Promise<Result> {
    const held = this.#current
    const { id } = await this.lease(options)
    try {
      return await write(id)
    } catch (error) {
      if (!(error instanceof EtcdMirrorError) || !/lease not found/.test(error.message)) throw error
      // Unless somebody was told so before us.
      if (held === undefined || this.#current === held) this.#forget()
      return await write((await this.lease(options)).id)
    }
  }

  /** Revokes the lease, so that its keys go now. Waits no longer than `timeoutMs`; never rejects. Idempotent. */
  close(timeoutMs: number): Promise<void> {
    this.#closed ??= this.#revoke(timeoutMs)
    return this.#closed
  }

  async #revoke(timeoutMs: number): Promise<void> {
    const current = this.#current
    this.#closing.abort()
    await this.#loop
    const lease = await current?.catch(() => undefined)
    if (lease === undefined) return
    await this.#operations.unary('leaseRevoke', { id: lease.id }, { timeoutMs }).catch(() => {})
  }

  async #grant(): Promise<LiveLease> {
    const sentAt = this.#clock.monotonic()
    try {
      const granted = await this.#operations.unary('leaseGrant', { ttlSeconds: this.#ttlSeconds })
      const lost = new AbortController()
      const lease = { id: granted.id, lost: lost.signal }
      this.#loop = this.#keepAlive(granted.id, granted.ttlSeconds * 1000, sentAt).then(() => {
        lost.abort(leadershipLost('its lease has ended'))
        // Another one may have been granted: etcd told of the end before the next renewal did.
        if (this.#granted === lease && !this.#closing.signal.aborted) this.#forget()
      })
      this.#granted = lease
      return lease
    } catch (error) {
      this.#forget()
      throw error
    }
  }

  #forget(): void {
    this.#current = undefined
    this.#granted = undefined
  }

  /** Resolves when the lease may have ended, judged from our side: from the sending of the last renewal that worked. */
  async #keepAlive(id: bigint, ttlMs: number, grantedAt: number): Promise<void> {
    const signal = AbortSignal.any([this.#closing.signal, this.#operations.closed])
    let end = grantedAt + ttlMs
    let pauseMs = ttlMs / RENEWALS
    while (this.#clock.monotonic() < end) {
      try {
        await this.#clock.sleep(Math.max(0, Math.min(pauseMs, end - this.#clock.monotonic())), signal)
        const sentAt = this.#clock.monotonic()
        const timeoutMs = Math.max(1, end - sentAt)
        const { ttlSeconds } = await this.#operations.unary('leaseKeepAlive', { id }, { signal, timeoutMs })
        if (ttlSeconds <= 0) return
        end = sentAt + ttlSeconds * 1000
        pauseMs = ttlMs / RENEWALS
      } catch {
        if (signal.aborted) return
        pauseMs = ttlMs / RETRIES
      }
    }
  }
}
