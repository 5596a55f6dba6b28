import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'

/** Who leads an election, as everybody sees it. */
export interface Leader {
  readonly key: Buffer
  readonly value: Buffer
  /** Grows from leader to leader: a fencing token. */
  readonly revision: number
}

/**
 * An election that was won. Work only while `lost` is not aborted, and let `revision` go with what you write: whoever was
 * suspended finds out too late that it leads no more, and a store that compares tokens does not.
 */
export interface Leadership extends AsyncDisposable {
  readonly key: Buffer
  /** Of this candidate's key; as in `Leader`. */
  readonly revision: number
  /**
   * Aborts with `LeadershipLost` when the leadership is over: the lease may have ended (judged from this side, before etcd
   * gives it to the next), the key was deleted, it was resigned, or the connection is closed.
   */
  readonly lost: AbortSignal
  /** The next candidate leads. Idempotent; never rejects: if etcd is away, the lease ends by itself. */
  resign(): Promise<void>
}

/** Why `lost` aborted. Campaigning again is the way back. */
export function leadershipLost(how: string): EtcdMirrorError {
  return new EtcdMirrorError('LeadershipLost', `Cannot go on as the leader: ${how}`, true)
}
