import type { KeyValue } from '../etcd/key-value.ts'
import type { Change } from '../replication/change.ts'
import { COMPACTION_KEY } from '../replication/coordination-key.ts'
import { compileGlob } from '../util/glob.ts'
import { TimeSlice } from '../util/time-slice.ts'

export interface KeySelectionOptions {
  /** Globs on the key below the prefix; a key must match one. */
  readonly include: readonly string[]
  /** A key that matches one of these is left out. */
  readonly exclude: readonly string[]
  /** Skip = a key with a lease is no part of the copy. */
  readonly leased: 'Mirror' | 'Skip'
}

/** Globs are not asked about longer ones: how long that takes grows with their length, and anybody may write keys. */
const MAX_GLOB_BYTES = 4096

/**
 * Which keys of the prefix are part of the copy. What etcd-mirror writes for itself never is; nor, where there are globs
 * besides `**`, what is longer than 4096 bytes below the prefix. Many keys are looked at in slices of time: globs come
 * from people who share a process with others.
 */
export class KeySelection {
  readonly #prefixLength: number
  readonly #include: readonly ((path: string) => boolean)[]
  readonly #exclude: readonly ((path: string) => boolean)[]
  readonly #hasGlobs: boolean
  readonly #skipsLeased: boolean
  readonly #hasCompactionKey: boolean
  /** Every key of the prefix is part of the copy. */
  readonly isEverything: boolean

  constructor(prefix: Buffer, { include, exclude, leased }: KeySelectionOptions) {
    this.#prefixLength = prefix.length
    this.#include = include.map(compileGlob)
    this.#exclude = exclude.map(compileGlob)
    this.#hasGlobs = !include.includes('**') || exclude.length > 0
    this.#skipsLeased = leased === 'Skip'
    this.#hasCompactionKey = COMPACTION_KEY.subarray(0, prefix.length).equals(prefix)
    this.isEverything = !this.#hasGlobs && !this.#skipsLeased && !this.#hasCompactionKey
  }

  /** The keys of a page that are part of the copy. */
  async ofPage(page: readonly KeyValue[]): Promise<readonly KeyValue[]> {
    if (this.isEverything) return page
    return (await this.#matching(page)).filter((kv) => !this.#isSkipped(kv))
  }

  async *ofPages(pages: AsyncIterable<readonly KeyValue[]>): AsyncGenerator<readonly KeyValue[]> {
    for await (const page of pages) yield await this.ofPage(page)
  }

  /** What the events mean for the copy: a put that took a lease takes its key out. */
  async ofChanges(changes: readonly Change[]): Promise<readonly Change[]> {
    if (this.isEverything) return changes
    return (await this.#matching(changes)).map((change) => this.#withoutLeased(change))
  }

  async #matching<Item extends { readonly key: Buffer }>(items: readonly Item[]): Promise<readonly Item[]> {
    const slice = new TimeSlice()
    const matching: Item[] = []
    for (const item of items) {
      if (slice.isOver) await slice.next()
      if (this.#matches(item.key)) matching.push(item)
    }
    return matching
  }

  #withoutLeased(change: Change): Change {
    if (change.type === 'delete' || !this.#isSkipped(change)) return change
    return { type: 'delete', key: change.key, modRevision: change.modRevision }
  }

  #isSkipped({ lease }: KeyValue): boolean {
    return this.#skipsLeased && lease !== 0n
  }

  #matches(key: Buffer): boolean {
    if (this.#hasCompactionKey && key.equals(COMPACTION_KEY)) return false
    if (!this.#hasGlobs) return true
    const relative = key.subarray(this.#prefixLength)
    if (relative.length > MAX_GLOB_BYTES) return false
    const path = relative.toString('utf8')
    return this.#include.some((glob) => glob(path)) && !this.#exclude.some((glob) => glob(path))
  }
}
