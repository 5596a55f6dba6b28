import { setTimeout as sleep } from 'node:timers/promises'
import { currentName, readTree, type Tree } from '../support/tree-reader.ts'
import { digestOf } from './digest.ts'
import { keyOfPath } from './key-space.ts'
import type { SeenTree } from './record.ts'

const PAUSE_MS = 2
/** Of the time the look took. */
const PAUSE_FOR_LOOKING = 3
/** A tree that stays is read again, to see that it does not change: after so many looks. */
const READ_AGAIN_AFTER = 40

/** A consumer that follows `current` and reads every tree it sees, whole. */
export class TreeRecorder implements AsyncDisposable {
  readonly #root: string
  readonly #roots: SeenTree[][] = [[]]
  readonly #loop: Promise<void>
  #reads = 0
  #looks = 0
  #isStopped = false
  #isBlind = false

  constructor(root: string) {
    this.#root = root
    this.#loop = this.#watch()
  }

  /** A list for each root: there is another one after each removal. */
  get seen(): readonly (readonly SeenTree[])[] {
    return this.#roots
  }

  /** What is seen from now on proves nothing, until this is called with false. */
  setBlind(isBlind: boolean): void {
    this.#isBlind = isBlind
  }

  /** The root was taken away as a whole; what comes now is another one. */
  rootWasRemoved(): void {
    this.#roots.push([])
  }

  /** Trees that were read from end to end. */
  get reads(): number {
    return this.#reads
  }

  /** Rejects with what went wrong in reading. */
  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#loop
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true
    await this.#loop.catch(() => undefined)
  }

  async #watch(): Promise<void> {
    while (!this.#isStopped) {
      const started = performance.now()
      this.#look()
      // A large tree is read for long, and others want to run as well.
      await sleep(PAUSE_MS + PAUSE_FOR_LOOKING * (performance.now() - started))
    }
  }

  #look(): void {
    if (this.#isBlind) return
    const trees = this.#roots.at(-1) as SeenTree[]
    const last = trees.at(-1)
    this.#looks += 1
    if (currentName(this.#root) === last?.name && this.#looks % READ_AGAIN_AFTER !== 0) return
    const tree = readTree(this.#root)
    if (tree === undefined) return
    this.#reads += 1
    const seen = seenTree(tree)
    if (last === undefined || last.name !== seen.name || !isSame(last, seen)) trees.push(seen)
  }
}

export function seenTree(tree: Pick<Tree, 'name' | 'files' | 'emptyDirectories'>): SeenTree {
  const [revision = '', generation = '0'] = tree.name.split('-')
  return {
    name: tree.name,
    revision: Number(revision),
    generation: Number(generation),
    entries: new Map([...tree.files].map(([path, value]) => [keyOfPath(path), digestOf(value)])),
    emptyDirectories: tree.emptyDirectories,
  }
}

function isSame(left: SeenTree, right: SeenTree): boolean {
  if (left.entries.size !== right.entries.size || right.emptyDirectories.length > left.emptyDirectories.length)
    return false
  return [...left.entries].every(([key, digest]) => right.entries.get(key) === digest)
}
