import type { Batch, Progress } from '../../src/replication/batch.ts'
import type { Change } from '../../src/replication/change.ts'
import { Notifier } from '../../src/util/notifier.ts'

type Item = Batch | Progress

/** Reads a stream of revisions in the background, as the mirror does. */
export class Collector {
  readonly items: Item[] = []
  /** Resolves with what ended the stream. */
  readonly failure: Promise<unknown>
  readonly #changed = new Notifier()

  constructor(stream: AsyncIterable<Item>) {
    this.failure = this.#read(stream)
  }

  get changes(): readonly Change[] {
    return this.items.flatMap((item) => (item.kind === 'batch' ? item.changes : []))
  }

  /** `revision:key` of every change, as in `5:a`; a delete ends in `-`. */
  get log(): readonly string[] {
    return this.changes.map(({ modRevision, key, type }) => `${modRevision}:${key}${type === 'delete' ? '-' : ''}`)
  }

  /** Resolves when as many items were read; rejects when the stream ends before. */
  async count(wanted: number): Promise<readonly Item[]> {
    await this.until(() => this.items.length >= wanted)
    return this.items
  }

  /** Resolves when everything up to `revision` was read; rejects when the stream ends before. */
  async reached(revision: number): Promise<void> {
    await this.until(() => (this.items.findLast(({ kind }) => kind === 'batch')?.revision ?? 0) >= revision)
  }

  async until(isReached: () => boolean): Promise<void> {
    const ended = this.failure.then((failure) => {
      throw failure ?? new Error('the stream ended')
    })
    ended.catch(() => undefined)
    const never = new AbortController().signal
    while (!isReached()) await Promise.race([this.#changed.wait(this.#changed.version, never), ended])
  }

  async #read(stream: AsyncIterable<Item>): Promise<unknown> {
    try {
      for await (const item of stream) {
        this.items.push(item)
        this.#changed.notify()
      }
      return undefined
    } catch (error) {
      return error
    }
  }
}
