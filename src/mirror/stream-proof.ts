import type { EtcdRpc } from '../etcd/rpc.ts'
import { readHead } from '../replication/head.ts'
import { proveIdentity } from '../replication/identity.ts'
import type { Position } from '../replication/position.ts'
import { readServerVersion } from '../replication/server-version.ts'
import { catchUpLimit } from './catch-up-limit.ts'
import type { MirrorState } from './mirror-state.ts'
import { proveRead, type ReadSoFar } from './read-so-far.ts'
import { ResyncNeeded } from './resync-needed.ts'

export interface StreamProofOptions {
  readonly rpc: EtcdRpc
  readonly prefix: Buffer
  readonly state: MirrorState
}

/** A snapshot that is being read, and where the watch beside it starts. */
export interface StartedFrom {
  readonly start: Position
  readonly progress: ReadSoFar
}

/** What has to be true before each stream of a phase is opened. */
export class StreamProof {
  readonly #options: StreamProofOptions
  readonly #from: StartedFrom | undefined
  #isFirst = true

  /** `from`: the phase begins with a snapshot, which is the proof for the first stream. */
  constructor(options: StreamProofOptions, from?: StartedFrom) {
    this.#options = options
    this.#from = from
  }

  /** A stream has ended. */
  interrupted(): void {
    this.#from?.progress.mark()
  }

  /**
   * Throws `StoreResetError` when the store is another one, `ResyncNeeded` when only a snapshot helps, or is cheaper, and
   * the errors of `EtcdRpc`.
   */
  async prove(position: Position, signal: AbortSignal): Promise<void> {
    const { rpc, state } = this.#options
    state.sawServerVersion(await readServerVersion(rpc, { signal }))
    const isFirst = this.#isFirst
    this.#isFirst = false
    if (!this.#from) return await this.#provePosition(position, signal)
    if (isFirst) return
    // An event that is proven proves what is older, too.
    if (position.anchor || this.#from.progress.isComplete) return await this.#provePosition(position, signal)
    const { start, progress } = this.#from
    progress.mark()
    if (progress.part) await proveRead(rpc, start, progress.part, { signal })
  }

  async #provePosition(position: Position, signal: AbortSignal): Promise<void> {
    const { rpc, prefix, state } = this.#options
    const options = { signal, mayLoseEvents: !state.trustsProgress }
    if (!(await proveIdentity(rpc, prefix, position, options))) throw new ResyncNeeded('unproven')
    const head = await readHead(rpc, prefix, { signal })
    if (head.revision - position.revision > catchUpLimit(position)) throw new ResyncNeeded('behind')
  }
}
