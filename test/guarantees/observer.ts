import type { EtcdClient } from '../../src/etcd/etcd-client.ts'
import type { WatchEvent } from '../../src/etcd/messages.ts'
import { eventually } from '../support/wait.ts'
import type { Digest } from './digest.ts'
import { digestOf } from './digest.ts'
import { openClient } from './store-writer.ts'
import type { Timeline } from './timeline.ts'

const EVERYTHING = { key: Buffer.from([0]), rangeEnd: Buffer.from([0]) }
const RETRY_MS = 50
/** Only ends what hangs. */
const REACH_TIMEOUT_MS = 300_000

/**
 * A watch of the whole store past every proxy, by which writes of unknown outcome are settled. Nothing may be compacted
 * that it has not seen: `reach` first.
 */
export class Observer implements AsyncDisposable {
  readonly #client: EtcdClient
  readonly #prefix: string
  readonly #timeline: Timeline
  readonly #stop = new AbortController()
  readonly #loop: Promise<void>
  #seen: number
  #stream = new AbortController()
  #lastFailure: unknown
  #isFragmented = false

  static async open(
    conf: Readonly<Record<string, unknown>>,
    prefix: string,
    timeline: Timeline,
    from = 1,
  ): Promise<Observer> {
    return new Observer(await openClient(conf), prefix, timeline, from)
  }

  private constructor(client: EtcdClient, prefix: string, timeline: Timeline, from: number) {
    this.#client = client
    this.#prefix = prefix
    this.#timeline = timeline
    this.#seen = from
    this.#loop = this.#watch()
  }

  /** Resolves when everything up to a revision of the store was seen. */
  async reach(revision: number): Promise<void> {
    await eventually(
      () => {
        if (this.#seen < revision)
          throw new Error(`The direct watch stands at ${this.#seen} of ${revision}: ${String(this.#lastFailure)}`)
      },
      { timeoutMs: REACH_TIMEOUT_MS },
    )
  }

  /** The store went back: what comes now follows `revision`. To be called while the store is down. */
  wentBackTo(revision: number): void {
    this.#seen = revision
    this.#stream.abort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await this.#loop
    this.#client.close()
  }

  async #watch(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      this.#stream = new AbortController()
      const signal = AbortSignal.any([this.#stop.signal, this.#stream.signal])
      await this.#follow(signal).catch((error: unknown) => {
        this.#lastFailure = error
        // Small events in many pieces take the server long.
        this.#isFragmented = String(error).includes('too large')
      })
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
  }

  async #follow(signal: AbortSignal): Promise<void> {
    const duplex = await this.#client.watch({ signal })
    duplex.create({ ...EVERYTHING, startRevision: this.#seen + 1, fragment: this.#isFragmented })
    let pieces: readonly WatchEvent[] = []
    for await (const { events, fragment, canceled, cancelReason } of duplex.responses) {
      if (canceled) throw new Error(`canceled: ${cancelReason}`)
      // What was on its way when the store went back belongs to the history that was.
      if (signal.aborted) return
      pieces = [...pieces, ...events]
      // More of the same revisions is on its way.
      if (fragment) continue
      this.#take(pieces)
      pieces = []
    }
  }

  #take(events: readonly WatchEvent[]): void {
    for (const [revision, writes] of byRevision(events)) {
      if (revision <= this.#seen) continue
      const mine = new Map([...writes].filter(([key]) => key.startsWith(this.#prefix)))
      if (mine.size > 0) this.#timeline.current.watch(revision, mine)
      this.#seen = revision
    }
  }
}

function byRevision(events: readonly WatchEvent[]): ReadonlyMap<number, ReadonlyMap<string, Digest | undefined>> {
  const revisions = new Map<number, Map<string, Digest | undefined>>()
  for (const { type, kv } of events) {
    const writes = revisions.get(kv.modRevision) ?? new Map()
    writes.set(kv.key.toString(), type === 'put' ? digestOf(kv.value) : undefined)
    revisions.set(kv.modRevision, writes)
  }
  return revisions
}
