import type { WatchCreateRequest, WatchResponse } from '../etcd/messages.ts'
import type { EtcdRpc, WatchDuplex } from '../etcd/rpc.ts'
import { UnavailableError } from '../etcd/unavailable-error.ts'
import { WatchQueue } from './watch-queue.ts'

/**
 * Many watches on one stream of etcd: a thousand watches cost one HTTP/2 stream, below any server's limit. The stream is
 * read without waiting for anybody; whoever is too slow loses its place, and resumes where it was.
 */
export class SharedWatches implements Pick<EtcdRpc, 'watch'> {
  readonly #rpc: EtcdRpc
  readonly #closed: AbortSignal
  #stream: Promise<SharedStream> | undefined

  /** Every watch ends when `closed` aborts. */
  constructor(rpc: EtcdRpc, closed: AbortSignal) {
    this.#rpc = rpc
    this.#closed = closed
  }

  async watch({ signal }: { readonly signal: AbortSignal }): Promise<WatchDuplex> {
    for (;;) {
      signal.throwIfAborted()
      this.#closed.throwIfAborted()
      this.#stream ??= this.#open()
      const opening = this.#stream
      const stream = await opening
      if (!stream.ended) return stream.join(AbortSignal.any([signal, this.#closed]))
      if (this.#stream === opening) this.#stream = undefined
    }
  }

  async #open(): Promise<SharedStream> {
    try {
      return new SharedStream(await this.#rpc.watch({ signal: this.#closed }))
    } catch (error) {
      this.#stream = undefined
      throw error
    }
  }
}

/** A watch of a shared stream. */
interface Member {
  readonly queue: WatchQueue
  /** undefined until etcd has created it. */
  id: number | undefined
  left: boolean
}

class SharedStream {
  readonly #duplex: WatchDuplex
  readonly #members = new Set<Member>()
  /** In the order of their requests. */
  readonly #creating: Member[] = []
  readonly #byId = new Map<number, Member>()
  #ended = false

  constructor(duplex: WatchDuplex) {
    this.#duplex = duplex
    void this.#pump()
  }

  get ended(): boolean {
    return this.#ended
  }

  join(signal: AbortSignal): WatchDuplex {
    const member: Member = { queue: new WatchQueue(), id: undefined, left: false }
    this.#members.add(member)
    const close = () => {
      signal.removeEventListener('abort', close)
      this.#leave(member)
      member.queue.fail(undefined)
    }
    signal.addEventListener('abort', close, { once: true })
    if (signal.aborted) close()
    return {
      responses: member.queue.read(signal),
      create: (request: WatchCreateRequest) => {
        this.#creating.push(member)
        this.#duplex.create(request)
      },
      cancel: () => close(),
      // An answer speaks for the whole stream, and would come too early for a watch that is being created.
      requestProgress: () => {},
      close,
    }
  }

  async #pump(): Promise<void> {
    let failure: unknown = new UnavailableError('Unavailable', 'Cannot go on watching: the stream has ended')
    try {
      for await (const response of this.#duplex.responses) this.#deliver(response)
    } catch (error) {
      failure = error
    }
    this.#ended = true
    for (const { queue } of this.#members) queue.fail(failure)
  }

  #deliver(response: WatchResponse): void {
    const member = response.created ? this.#creating.shift() : this.#byId.get(response.watchId)
    if (member === undefined) return
    if (response.created && !response.canceled) {
      member.id = response.watchId
      this.#byId.set(response.watchId, member)
      if (member.left) this.#duplex.cancel(response.watchId)
    }
    if (response.canceled) this.#byId.delete(response.watchId)
    if (!member.left && !member.queue.push(response)) this.#leave(member)
  }

  #leave(member: Member): void {
    if (member.left) return
    member.left = true
    this.#members.delete(member)
    if (this.#ended) return
    if (this.#members.size === 0) {
      this.#ended = true
      this.#duplex.close()
    } else if (member.id !== undefined) {
      this.#duplex.cancel(member.id)
    }
  }
}
