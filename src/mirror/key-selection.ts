import type { KeyValue } from '../etcd/key-value.ts'
import type { Change } from '../replication/change.ts'
import { COMPACTION_KEY } from '../replication/coordination-key.ts'
import { compileGlob } from '../util/glob.ts'

export interface KeySelectionOptions {
  /** Globs on the key below the prefix; a key must match one. */
  readonly include: readonly string[]
  /** A key that matches one of these is left out. */
  readonly exclude: readonly string[]
  /** Skip = a key with a lease is no part of the copy. */
  readonly leased: 'Mirror' | 'Skip'
}

/** Which keys of the prefix are part of the copy. What etcd-mirror writes for itself never is. */
export class KeySelection {
  readonly #prefixLength: number
  readonly #include: readonly ((path: string) => boolean)[]
  readonly #exclude: readonly ((path: string) => boolean)[]
  readonly #skipsLeased: boolean
  readonly #hasCompactionKey: boolean
  /** Every key of the prefix is part of the copy. */
  readonly isEverything: boolean

  constructor(prefix: Buffer, { include, exclude, leased }: KeySelectionOptions) {
    this.#prefixLength = prefix.length
    this.#include = include.map(compileGlob)
    this.#exclude = exclude.map(compileGlob)
    this.#skipsLeased = leased === 'Skip'
    this.#hasCompactionKey = COMPACTION_KEY.subarray(0, prefix.length).equals(prefix)
    this.isEverything = include.includes('**') && exclude.length === 0 && !this.#skipsLeased && !this.#hasCompactionKey
  }

  /** The keys of a page that are part of the copy. */
  ofPage(page: readonly KeyValue[]): readonly KeyValue[] {
    if (this.isEverything) return page
    return page.filter((kv) => this.#matches(kv.key) && !this.#isSkipped(kv))
  }

  async *ofPages(pages: AsyncIterable<readonly KeyValue[]>): AsyncGenerator<readonly KeyValue[]> {
    for await (const page of pages) yield this.ofPage(page)
  }

  /** What the events mean for the copy: a put that took a lease takes its key out. */
  ofChanges(changes: readonly Change[]): readonly Change[] {
    if (this.isEverything) return changes
    return changes.filter(({ key }) => this.#matches(key)).map((change) => this.#withoutLeased(change))
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
    const path = key.subarray(this.#prefixLength).toString('utf8')
    return this.#include.some((glob) => glob(path)) && !this.#exclude.some((glob) => glob(path))
  }
}
