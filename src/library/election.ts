import type { KeyValue as StoredKeyValue } from '../etcd/key-value.ts'
import { prefixRange } from '../replication/prefix-range.ts'
import { bytesOf, fullKey } from './arguments.ts'
import type { Bytes, OperationOptions } from './key-value-broker.ts'
import type { KeyValueWatcher } from './key-value-watcher.ts'
import { type Leader, type Leadership, leadershipLost } from './leadership.ts'
import type { Operations } from './operations.ts'
import { persist } from './persist.ts'
import { type LiveLease, SessionLease } from './session-lease.ts'

/** A candidacy without a limit: only `signal` ends the wait. */
export interface CampaignOptions {
  /** Ends the candidacy; `campaign` rejects with the signal's reason. */
  readonly signal?: AbortSignal | undefined
  /** What observers see of the leader. Default: nothing. */
  readonly value?: Bytes | undefined
}

export interface ElectionContext {
  readonly operations: Operations
  /** Of all keys. */
  readonly watcher: KeyValueWatcher
  readonly sessionTtlSeconds: number
}

/** Giving up a candidacy must not hold up the caller for long; then its lease ends by itself. */
const WITHDRAW_TIMEOUT_MS = 1000

interface Candidacy {
  readonly key: Buffer
  readonly createRevision: number
  readonly lease: LiveLease
  readonly session: SessionLease
}

/** Elections as etcd's own clients hold them: the candidate whose key is oldest leads. */
export class Elections {
  readonly #context: ElectionContext
  /** Of candidates and leaders. Each has its own: two campaigns of one connection are two candidates. */
  readonly #sessions = new Set<SessionLease>()

  constructor(context: ElectionContext) {
    this.#context = context
  }

  async campaign(name: Bytes, { signal, value = '' }: CampaignOptions = {}): Promise<Leadership> {
    const prefix = candidatesOf(name)
    const bytes = bytesOf(value, 'value')
    const either = this.#context.operations.signalOf(signal)
    for (;;) {
      either.throwIfAborted()
      const session = new SessionLease(this.#context.operations, this.#context.sessionTtlSeconds)
      this.#sessions.add(session)
      try {
        const candidacy = await this.#stand(prefix, bytes, session, either)
        if (await this.#isElected(prefix, candidacy, either)) return this.#lead(candidacy)
      } catch (error) {
        await this.#withdraw(session)
        throw error
      }
      // The lease ended while we waited; we stand at the end of the queue, as etcd sees it anyway.
      await this.#withdraw(session)
    }
  }

  async getLeader(name: Bytes, options: OperationOptions = {}): Promise<Leader | undefined> {
    return (await this.#candidates(candidatesOf(name), options)).leader
  }

  async *observe(name: Bytes, options: OperationOptions = {}): AsyncGenerator<Leader | undefined> {
    const prefix = candidatesOf(name)
    let { leader, revision } = await this.#candidates(prefix, options)
    yield leader
    for await (const event of this.#context.watcher.watch(prefix, { ...options, fromRevision: revision })) {
      if (event.revision <= revision) continue
      const now = await persist(
        () => this.#candidates(prefix, options),
        this.#context.operations.signalOf(options.signal),
      )
      revision = now.revision
      if (isSame(leader, now.leader)) continue
      leader = now.leader
      yield leader
    }
  }

  /** Gives up every candidacy and leadership; never rejects. */
  async close(): Promise<void> {
    await Promise.all([...this.#sessions].map((session) => this.#withdraw(session)))
  }

  async #stand(prefix: Buffer, value: Buffer, session: SessionLease, signal: AbortSignal): Promise<Candidacy> {
    const lease = await session.lease({ signal })
    const key = Buffer.concat([prefix, Buffer.from(lease.id.toString(16))])
    const { header } = await this.#context.operations.unary('put', { key, value, lease: lease.id }, { signal })
    return { key, createRevision: header.revision, lease, session }
  }

  /** false = the lease ended before. */
  async #isElected(prefix: Buffer, { key, lease }: Candidacy, signal: AbortSignal): Promise<boolean> {
    const either = AbortSignal.any([signal, lease.lost])
    try {
      for (;;) {
        const { all, revision } = await persist(() => this.#candidates(prefix, { signal: either }), either)
        const place = all.findIndex((candidate) => candidate.key.equals(key))
        if (place < 0) return false
        const before = all[place - 1]
        if (before === undefined) return true
        await this.#gone(before.key, revision, either)
      }
    } catch (error) {
      if (lease.lost.aborted && !signal.aborted) return false
      throw error
    }
  }

  #lead({ key, createRevision, lease, session }: Candidacy): Leadership {
    const over = new AbortController()
    const end = (how: string) => {
      over.abort(leadershipLost(how))
      void this.#withdraw(session)
    }
    const signal = AbortSignal.any([over.signal, lease.lost])
    lease.lost.addEventListener('abort', () => end('its lease has ended'), { once: true })
    this.#gone(key, createRevision, signal).then(
      () => end('its key was deleted'),
      () => end('the connection is closed'),
    )
    const resign = async () => {
      end('it was resigned')
      await this.#withdraw(session)
    }
    return { key, revision: createRevision, lost: over.signal, resign, [Symbol.asyncDispose]: resign }
  }

  /** Resolves once `key` is deleted, or may have been, after `fromRevision`. */
  async #gone(key: Buffer, fromRevision: number, signal: AbortSignal): Promise<void> {
    await persist(async () => {
      for await (const event of this.#context.watcher.watch(key, { fromRevision, signal })) {
        if (event.type === 'resync' || (event.type === 'delete' && event.key.equals(key))) return
      }
    }, signal)
  }

  /** Oldest first. */
  async #candidates(prefix: Buffer, options: OperationOptions) {
    const { kvs, header } = await this.#context.operations.unary('range', prefixRange(prefix), options)
    const all = kvs.toSorted((a, b) => a.createRevision - b.createRevision)
    return { all, leader: all[0] && leaderOf(all[0]), revision: header.revision }
  }

  async #withdraw(session: SessionLease): Promise<void> {
    this.#sessions.delete(session)
    await session.close(WITHDRAW_TIMEOUT_MS)
  }
}

function candidatesOf(name: Bytes): Buffer {
  return Buffer.concat([fullKey(Buffer.alloc(0), name), Buffer.from('/')])
}

function leaderOf({ key, value, createRevision }: StoredKeyValue): Leader {
  return { key, value, revision: createRevision }
}

function isSame(a: Leader | undefined, b: Leader | undefined): boolean {
  if (a === undefined || b === undefined) return a === b
  return a.revision === b.revision && a.key.equals(b.key) && a.value.equals(b.value)
}
