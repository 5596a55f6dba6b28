import type { WatchEvent, WatchResponse } from '../etcd/messages.ts'
import type { EtcdRpc, WatchDuplex } from '../etcd/rpc.ts'
import { Backoff } from '../util/backoff.ts'
import { type Clock, systemClock } from '../util/clock.ts'
import { EtcdMirrorError } from '../util/etcd-mirror-error.ts'
import type { Batch, Progress } from './batch.ts'
import type { Change } from './change.ts'
import { prefixRange } from './prefix-range.ts'
import { RevisionKeys } from './revision-keys.ts'
import { isFinal, watchCancelError } from './watch-end.ts'

export interface RevisionsOptions {
  readonly signal: AbortSignal
  /**
   * Proves before every stream that the store still is the one `revision` belongs to. What it throws is treated like a
   * failure of the stream itself.
   */
  readonly prove: (signal: AbortSignal) => Promise<void>
  /** Let the server cut large answers: right for mean values of 4 KiB and more. Default false, until one was too large. */
  readonly fragment?: boolean
  /** Ask for the value before each change. Default false. */
  readonly prevKv?: boolean
  /** Told when a stream is open (undefined) and when one ended, with the reason it is opened again. */
  readonly onState?: (failure: EtcdMirrorError | undefined) => void
  readonly backoff?: Backoff
  readonly clock?: Clock
}

/** The stream of a prefix's revisions; single use. */
export interface RevisionStream extends AsyncIterable<Batch | Progress> {
  /**
   * Asks the server to confirm how far the stream is. Ignored while no stream is open. Only answers of etcd ≥ 3.4.36,
   * ≥ 3.5.18 and 3.6 on can be trusted not to overtake events.
   */
  requestProgress(): void
  /** The caller knows that nothing happened under the prefix up to `revision`: streams need not start below it. */
  confirm(revision: number): void
  /** Answers of the server so far, of any kind, whether they were new or not. */
  readonly answers: number
}

/**
 * Every event of the prefix after revision `from`, whole revisions at a time and in order, over any number of
 * disconnects; the only owner of resume.
 *
 * Streams start at the last whole revision inclusive and events up to it are dropped: at head this still answers progress
 * requests, a compaction right behind it shows as a cancel instead of a lost delete (etcd-io/etcd#19179), and a cut
 * inside a fragmented revision replays it.
 *
 * Throws `CompactedError` when the history is gone, `StoreResetError` from `prove`, and the abort reason. Every other end
 * is recovered from with backoff.
 */
export function watchRevisions(rpc: EtcdRpc, prefix: Buffer, from: number, options: RevisionsOptions): RevisionStream {
  let open: WatchDuplex | undefined
  let answers = 0
  const resume = new Resume(from, options.fragment ?? false)
  const { signal, prevKv = false, onState, clock = systemClock, backoff = new Backoff() } = options

  async function* stream(): AsyncGenerator<Batch | Progress> {
    await options.prove(signal)
    const duplex = await rpc.watch({ signal })
    try {
      duplex.create({ ...prefixRange(prefix), startRevision: resume.revision, fragment: resume.fragment, prevKv })
      for await (const response of duplex.responses) {
        answers += 1
        if (response.canceled) throw watchCancelError(response)
        if (response.created) {
          open = duplex
          backoff.reset()
          onState?.(undefined)
        }
        yield* resume.take(response)
      }
    } finally {
      open = undefined
      resume.discardFragments()
      duplex.close()
    }
  }

  async function* revisions(): AsyncGenerator<Batch | Progress> {
    for (;;) {
      try {
        yield* stream()
      } catch (error) {
        signal.throwIfAborted()
        if (!(error instanceof EtcdMirrorError) || isFinal(error)) throw error
        if (error.code === 'MessageTooLarge') resume.fragment = true
        onState?.(error)
      }
      await clock.sleep(backoff.nextMs(), signal)
    }
  }
  return {
    [Symbol.asyncIterator]: revisions,
    requestProgress: () => open?.requestProgress(),
    confirm: (revision) => resume.confirm(revision),
    get answers() {
      return answers
    },
  }
}

/** How far the stream is, and the pieces of the revision that is still on its way. */
class Resume {
  revision: number
  fragment: boolean
  #pieces: readonly WatchEvent[] = []

  constructor(revision: number, fragment: boolean) {
    this.revision = revision
    this.fragment = fragment
  }

  confirm(revision: number): void {
    this.revision = Math.max(this.revision, revision)
  }

  discardFragments(): void {
    this.#pieces = []
  }

  *take(response: WatchResponse): Generator<Batch | Progress> {
    const events = this.#pieces.length === 0 ? response.events : [...this.#pieces, ...response.events]
    const whole = response.fragment ? countWhole(events) : events.length
    this.#pieces = events.slice(whole)
    if (whole > 0) yield* this.#batch(events.slice(0, whole))
    else if (!response.fragment && !response.created) yield* this.#progress(response)
  }

  *#batch(events: readonly WatchEvent[]): Generator<Batch> {
    const changes: Change[] = []
    let newest = this.revision
    let keys = new RevisionKeys()
    for (const event of events) {
      const { key, modRevision } = event.kv
      // A server that goes back in time repeats what was delivered (etcd-io/etcd#15271).
      if (modRevision < newest || modRevision <= this.revision) continue
      if (modRevision > newest) keys = new RevisionKeys()
      newest = modRevision
      // A revision changes a key once: what comes again is a duplicate, and would be counted twice.
      if (keys.add(key)) changes.push(changeOf(event))
    }
    if (changes.length === 0) return
    this.revision = newest
    yield { kind: 'batch', changes, revision: this.revision }
  }

  *#progress({ header, watchId }: WatchResponse): Generator<Progress> {
    // A header may be behind (a lagging member) but a watch cannot be ahead of what it delivered.
    if (header.revision < this.revision) return
    yield { kind: 'progress', revision: header.revision, requested: watchId === -1 }
  }
}

/** An answer in pieces may hold a thousand revisions: all but the last one of a piece are there, and need not wait. */
function countWhole(events: readonly WatchEvent[]): number {
  const last = events.at(-1)?.kv.modRevision
  return events.findLastIndex(({ kv }) => kv.modRevision !== last) + 1
}

function changeOf({ type, kv, prevKv }: WatchEvent): Change {
  // Field by field: spreading costs as much as decoding.
  const { key, value, createRevision, modRevision, version, lease } = kv
  const change: Change =
    type === 'put' ? { type, key, value, createRevision, modRevision, version, lease } : { type, key, modRevision }
  return prevKv ? { ...change, previous: prevKv.value } : change
}
