import { type Hold, Lease } from '../kube/lease.ts'
import type { MirrorStatus } from '../mirror/mirror-status.ts'
import { HealthRegistry } from '../observe/health-registry.ts'
import { Heartbeat } from '../observe/heartbeat.ts'
import { Backoff } from '../util/backoff.ts'
import { OperatorTerm, type OperatorTermOptions } from './operator-term.ts'

export interface OperatorOptions extends Omit<OperatorTermOptions, 'beat' | 'hold'> {
  /** Of this process among all; undefined = it leads without asking. */
  readonly identity: string | undefined
}

export const LEADER_LEASE = 'etcd-mirror-operator'
/** How often a process that does not lead asks whether it may. */
const ASK_MS = 2000
/** How often the leader looks whether it still is. */
const LOOK_MS = 200
const BEAT_MS = 1000
const MAX_SILENT_MS = 60_000

/** The operator: leads when it may, and stops writing as soon as it may not. */
export class Operator {
  readonly health = new HealthRegistry()
  readonly #options: OperatorOptions
  readonly #heartbeat: Heartbeat
  #term: OperatorTerm | undefined

  constructor(options: OperatorOptions) {
    this.#options = options
    this.#heartbeat = new Heartbeat(options.clock)
    this.health.add({ name: 'operator', kind: 'live', check: () => this.#heartbeat.check(MAX_SILENT_MS) })
    for (const kind of ['ready', 'startup'] as const) {
      this.health.add({
        name: 'operator',
        kind,
        check: () => ({ ok: true, message: this.#isLeading ? 'leader' : 'standby' }),
      })
    }
  }

  /** Of the mirrors that run here. */
  statuses(): readonly MirrorStatus[] {
    return this.#term?.statuses() ?? []
  }

  /** Runs until the signal aborts; then the leadership is let go at once, after the last mirror has ended. */
  async run(signal: AbortSignal): Promise<void> {
    const ended = new AbortController()
    const beats = this.#beatUntil(ended.signal)
    try {
      await this.#leadWhenAllowed(signal)
    } finally {
      ended.abort()
      await beats
    }
  }

  /** Waiting for the API server counts as moving, however long it takes: a restart cannot heal that. */
  async #beatUntil(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#heartbeat.beat()
      await this.#options.clock.sleep(BEAT_MS, signal).catch(() => undefined)
    }
  }

  async #leadWhenAllowed(signal: AbortSignal): Promise<void> {
    const { identity, client, operatorNamespace, clock } = this.#options
    this.#tellLeadership(false)
    if (identity === undefined) return await this.#lead({ isHeld: true }, signal)
    const lease = new Lease({ client, namespace: operatorNamespace, name: LEADER_LEASE, identity, clock })
    try {
      while (!signal.aborted) if (await this.#acquire(lease, signal)) await this.#leadWhile(lease, signal)
    } finally {
      await lease.release()
    }
  }

  get #isLeading(): boolean {
    return this.#term !== undefined
  }

  /** Whether it is ours now; waits some time otherwise. */
  async #acquire(lease: Lease, signal: AbortSignal): Promise<boolean> {
    const { clock, logger } = this.#options
    try {
      const holder = await lease.acquire(signal)
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
