import { KubeError } from '../kube/kube-error.ts'
import { type Hold, Lease } from '../kube/lease.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import { HealthRegistry, type HealthResult } from '../observe/health-registry.ts'
import { Heartbeat } from '../observe/heartbeat.ts'
import { Backoff } from '../util/backoff.ts'
import { withDeadline } from '../util/with-deadline.ts'
import { leaseHealth } from './lease-health.ts'
import { LEADER_LEASE } from './operator-resources.ts'
import { OperatorTerm, type OperatorTermOptions } from './operator-term.ts'

export interface OperatorOptions extends Omit<OperatorTermOptions, 'beat' | 'hold'> {
  /** Of this process among all; undefined = it leads without asking. */
  readonly identity: string | undefined
}

/** How often a process that does not lead asks whether it may. */
const ASK_MS = 2000
/** How long it waits for the answer. */
const ANSWER_MS = 15_000
/** How often the leader looks whether it still is. */
const LOOK_MS = 200
const MAX_SILENT_MS = 60_000

/** The operator: leads when it may, and stops writing as soon as it may not. */
export class Operator {
  readonly health = new HealthRegistry()
  readonly #options: OperatorOptions
  readonly #heartbeat: Heartbeat
  /** undefined = it leads without one. */
  readonly #lease: Lease | undefined
  #term: OperatorTerm | undefined

  constructor(options: OperatorOptions) {
    const { identity, client, operatorNamespace, clock } = options
    this.#options = options
    this.#heartbeat = new Heartbeat(clock)
    this.#lease =
      identity === undefined
        ? undefined
        : new Lease({ client, namespace: operatorNamespace, name: LEADER_LEASE, identity, clock })
    this.#addChecks()
  }

  /** Of the mirrors that run here. */
  statuses(): readonly MirrorStatus[] {
    return this.#term?.statuses() ?? []
  }

  /** Runs until the signal aborts; then the leadership is let go at once, after the last mirror has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const lease = this.#lease
    this.#tellLeadership(false)
    if (lease === undefined) return await this.#lead({ isHeld: true }, signal)
    try {
      while (!signal.aborted) if (await this.#acquire(lease, signal)) await this.#leadWhile(lease, signal)
    } finally {
      await lease.release()
    }
  }

  #addChecks(): void {
    const { health } = this
    const lease = this.#lease
    health.add({ name: 'operator', kind: 'live', check: () => this.#heartbeat.check(MAX_SILENT_MS) })
    health.add({ name: 'resources', kind: 'ready', check: () => this.#term?.health() ?? this.#withoutTerm() })
    if (lease === undefined) {
      health.add({ name: 'resources', kind: 'startup', check: () => this.#term?.listHealth() ?? this.#withoutTerm() })
      return
    }
    health.add({ name: 'leadership', kind: 'ready', check: () => leaseHealth(lease, Lease.durationMs) })
    health.add({ name: 'leadership', kind: 'startup', check: () => leaseHealth(lease, Number.POSITIVE_INFINITY) })
  }

  #withoutTerm(): HealthResult {
    return this.#lease === undefined ? { ok: false, message: 'not started' } : { ok: true, message: 'standby' }
  }

  /** Whether it is ours now; waits some time otherwise. */
  async #acquire(lease: Lease, signal: AbortSignal): Promise<boolean> {
    const { clock, logger } = this.#options
    this.#heartbeat.beat()
    try {
      const holder = await this.#ask(lease, signal)
      if (holder === undefined) return true
      logger.debug({ holder }, 'another process leads')
    } catch (err) {
      if (signal.aborted) return false
      logger.warn({ err }, 'cannot ask for the leadership; trying again')
    }
    const waitMs = ASK_MS / 2 + new Backoff({ firstMs: ASK_MS, maxMs: ASK_MS }).nextMs()
    await clock.sleep(waitMs, signal).catch(() => undefined)
    return false
  }

  /** An API that does not answer must not look as if nothing moved here. */
  async #ask(lease: Lease, signal: AbortSignal): Promise<string | undefined> {
    const late = () => new KubeError('KubeUnavailable', `No answer within ${ANSWER_MS / 1000} s`)
    const { clock } = this.#options
    return await withDeadline((limited) => lease.acquire(limited), signal, { clock, ms: ANSWER_MS, late })
  }

  async #leadWhile(lease: Lease, signal: AbortSignal): Promise<void> {
    const { logger, identity, clock } = this.#options
    logger.info({ identity }, 'leading')
    const lost = new AbortController()
    const over = AbortSignal.any([signal, lost.signal])
    const look = async () => {
      while (!over.aborted) {
        await clock.sleep(LOOK_MS, over).catch(() => undefined)
        if (!lease.isHeld) lost.abort(new Error('the leadership was lost'))
      }
    }
    await Promise.all([this.#lead(lease, over), look()])
    if (lost.signal.aborted) logger.warn({ identity }, 'lost the leadership; stopped writing')
  }

  async #lead(hold: Hold, signal: AbortSignal): Promise<void> {
    this.#term = new OperatorTerm({ ...this.#options, hold, beat: () => this.#heartbeat.beat() })
    this.#tellLeadership(true)
    try {
      await this.#term.run(signal)
    } finally {
      this.#term = undefined
      this.#tellLeadership(false)
    }
  }

  #tellLeadership(leads: boolean): void {
    this.#options.metrics.metrics.set('leader_election_master_status', { name: LEADER_LEASE }, leads ? 1 : 0)
  }
}
