import { setTimeout as sleep } from 'node:timers/promises'
import { differences, type WriteLog } from './oracle.ts'
import { entriesOf, readTree, type Tree } from './tree-reader.ts'

const PAUSE_MS = 2

/** A consumer that reads the whole tree behind `current` again and again, and remembers every one it saw. */
export class TreeWatcher implements AsyncDisposable {
  readonly #root: string
  readonly #seen: Tree[] = []
  readonly #faults: string[] = []
  readonly #loop: Promise<void>
  #isStopped = false

  constructor(root: string) {
    this.#root = root
    this.#loop = this.#watch()
  }

  /** Every tree that was seen, once each, in order. */
  get seen(): readonly Tree[] {
    return this.#seen
  }

  /**
   * Stops reading and says what was wrong: a tree that is not the prefix at exactly its revision, or a step back.
   * After a reset `before` is the history that the first tree belongs to; all others belong to `log`.
   */
  async faults(log: WriteLog, prefix: string, { before: former = log } = {}): Promise<readonly string[]> {
    await this.#stop()
    for (const [index, tree] of this.#seen.entries()) {
      const history = index === 0 ? former : log
      const wrong = differences(entriesOf(tree, prefix), history.stateAt(tree.revision))
      this.#faults.push(...wrong.map((line) => `revision ${tree.name}: ${line}`))
      this.#faults.push(...tree.emptyDirectories.map((path) => `revision ${tree.name}: empty directory ${path}`))
      const before = this.#seen[index - 1]
      const isReset = index === 1 && former !== log
      if (before && before.revision > tree.revision && !isReset)
        this.#faults.push(`revision ${tree.name} after ${before.name}`)
    }
    return this.#faults.slice(0, 10)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stop()
  }

  async #stop(): Promise<void> {
    this.#isStopped = true
    await this.#loop
  }

  async #watch(): Promise<void> {
    while (!this.#isStopped) {
      this.#look()
      await sleep(PAUSE_MS)
    }
    this.#look()
  }

  #look(): void {
    const tree = readTree(this.#root)
    const last = this.#seen.at(-1)
    if (tree === undefined) {
      if (last !== undefined) this.#faults.push(`nothing is published any more after ${last.name}`)
    } else if (last?.name !== tree.name) {
      this.#seen.push(tree)
    } else {
      const changed = differences(tree.files, last.files)
      this.#faults.push(...changed.map((line) => `revision ${tree.name} changed after it was published: ${line}`))
    }
  }
}
