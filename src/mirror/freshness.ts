import type { ResponseHeader } from '../etcd/messages.ts'
import type { EtcdRpc } from '../etcd/rpc.ts'
import { sameAnchor } from '../replication/anchor.ts'
import { type Head, readHead } from '../replication/head.ts'
import { assertSameStore } from '../replication/identity.ts'
import type { Anchor } from '../replication/position.ts'
import { prefixRange } from '../replication/prefix-range.ts'
import { unchangedUpTo } from '../replication/state-proof.ts'
import { StoreResetError } from '../replication/store-reset-error.ts'
import type { Clock } from '../util/clock.ts'
import type { Follower } from './follower.ts'

/** How long an answer to a progress request may take before it is asked for again. */
const PROGRESS_WAIT_MS = 500
const PROGRESS_REQUESTS = 4

export interface FreshnessOptions {
  readonly rpc: EtcdRpc
  readonly prefix: Buffer
  readonly follower: Follower
  readonly trustsProgress: () => boolean
  readonly clock: Clock
}

/** What one read of the anchor's key found. */
export interface AnchorReading {
  readonly anchor: Anchor
  /** Of the store, when it was read. */
  readonly revision: number
  readonly isSame: boolean
}

/** What is known to be true about a follower, by reads of the store itself. */
export class Freshness {
  readonly #options: FreshnessOptions

  constructor(options: FreshnessOptions) {
    this.#options = options
  }

  /**
   * The head of the store. Throws `StoreResetError` when it lies behind what was received before it was asked for: only a
   * linearizable read may judge that.
   */
  async head(signal: AbortSignal): Promise<Head> {
    const { rpc, prefix, follower } = this.#options
    const before = follower.received
    const head = await readHead(rpc, prefix, { signal })
    assertSameStore(before, head)
    follower.sawRaftTerm(head.raftTerm)
    return head
  }

  /**
   * What the store has of the follower's anchor now; undefined = the follower has none. A store that was reset without a
   * disconnect, as behind a proxy, and has overtaken us shows nowhere else: see `assertAnchor`.
   */
  async readAnchor(signal: AbortSignal): Promise<AnchorReading | undefined> {
    const { rpc, follower } = this.#options
    const { anchor } = follower.received
    if (!anchor) return undefined
    const { header, kvs } = await rpc.unary('range', { key: anchor.key }, { signal })
    return { anchor, revision: header.revision, isSame: sameAnchor(anchor, kvs[0]) }
  }

  /**
   * To be called once everything up to the reading's revision was received: an anchor that no event has replaced must have
   * been there. Throws `StoreResetError` when it was not; resolves to false when lost events may be the reason.
   */
  assertAnchor(reading: AnchorReading | undefined): boolean {
    const { follower, trustsProgress } = this.#options
    if (!reading || reading.isSame || follower.received.anchor !== reading.anchor) return true
    if (trustsProgress()) throw new StoreResetError('the newest key that is known is not there')
    return false
  }

  /**
   * Waits until everything under the prefix up to `revision` was received: by events, by progress the server was asked
   * for, else by proof that nothing changed. Resolves to false when that could not be established in a few seconds.
   */
  async reach(revision: number, signal: AbortSignal): Promise<boolean> {
    const { follower, trustsProgress } = this.#options
    for (let request = 0; request < PROGRESS_REQUESTS; request++) {
      follower.throwIfFailed()
      if (follower.received.revision >= revision) return true
      if (trustsProgress()) follower.requestProgress()
      else if (await this.proveUnchanged(signal)) return true
      await this.#waitForReceived(revision, signal)
    }
    return follower.received.revision >= revision || this.proveUnchanged(signal)
  }

  /**
   * Proves that the prefix is what the follower received: no key was changed after it, and the number of keys is equal.
   * Then the position moves to the revision of the proof. false = changes are on their way, or were lost.
   */
  async proveUnchanged(signal: AbortSignal): Promise<boolean> {
    const { rpc, prefix, follower } = this.#options
    const before = follower.received
    const check = (header: ResponseHeader) => assertSameStore(before, header)
    const revision = await unchangedUpTo(rpc, prefixRange(prefix), before, { signal, check })
    if (revision === undefined) return false
    follower.confirm(revision)
    return true
  }

  async #waitForReceived(revision: number, signal: AbortSignal): Promise<void> {
    const { follower, clock } = this.#options
    const endMs = clock.monotonic() + PROGRESS_WAIT_MS
    while (follower.received.revision < revision) {
      follower.throwIfFailed()
      const leftMs = endMs - clock.monotonic()
      if (leftMs <= 0) return
      await follower.changed.waitAtMost(leftMs, follower.changed.version, { clock, signal })
    }
  }
}
