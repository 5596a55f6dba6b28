import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { currentName } from '../support/tree-reader.ts'
import type { Random } from './random.ts'
import type { SeenTree } from './record.ts'
import { seenTree } from './tree-recorder.ts'

/** Of the grace: the rest is for a machine that is busy. */
const LONGEST_WAIT = 0.7
const SHORTEST_PAUSE_MS = 5
/** Of the time the reading took: a large tree is read for long, and the writer of the round runs in the same thread. */
const PAUSE_FOR_READING = 3

/**
 * A consumer that takes its time, as long as the grace allows: it resolves the link, reads some files, waits, and reads
 * the rest by the path it got. What took longer than the grace proves nothing and is left out.
 */
export class PatientReader implements AsyncDisposable {
  readonly #root: string
  readonly #graceMs: number
  readonly #random: Random
  readonly #seen: SeenTree[] = []
  readonly #violations: string[] = []
  readonly #loop: Promise<void>
  #reads = 0
  #discarded = 0
  #isBlind = false
  #isStopped = false

  constructor(root: string, graceMs: number, random: Random) {
    this.#root = root
    this.#graceMs = graceMs
    this.#random = random
    this.#loop = this.#watch()
  }

  get seen(): readonly SeenTree[] {
    return this.#seen
  }

  get reads(): number {
    return this.#reads
  }

  /** Trees that went away within their grace. */
  get violations(): readonly string[] {
    return this.#violations
  }

  /** What is seen from now on proves nothing, until this is called with false. */
  setBlind(isBlind: boolean): void {
    this.#isBlind = isBlind
    this.discard()
  }

  /** What is being read now proves nothing. */
  discard(): void {
    this.#discarded += 1
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    await this.#loop
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }

  async #watch(): Promise<void> {
    while (!this.#isStopped) {
      const busyMs = await this.#read()
      await sleep(SHORTEST_PAUSE_MS + PAUSE_FOR_READING * busyMs)
    }
  }

  /** How long it kept everybody else from running, in milliseconds. */
  async #read(): Promise<number> {
    const started = performance.now()
    const discarded = this.#discarded
    const isVoid = () => performance.now() - started >= this.#graceMs || discarded !== this.#discarded || this.#isBlind
    const name = currentName(this.#root)
    if (name === undefined) return 0
    const tree = join(this.#root, '.revisions', name)
    const waitMs = this.#random.int(0, this.#graceMs * LONGEST_WAIT)
    const busyMs = () => performance.now() - started - waitMs
    try {
      const paths = filesOf(tree)
      const half = paths.length >> 1
      const first = contents(tree, paths.slice(0, half))
      await sleep(waitMs)
      const files = new Map([...first, ...contents(tree, paths.slice(half))])
      if (isVoid()) return busyMs()
      this.#reads += 1
      this.#seen.push(seenTree({ name, files, emptyDirectories: [] }))
    } catch (error) {
      if (!isVoid()) this.#violations.push(`tree ${name} went away within its grace: ${String(error)}`)
    }
    return busyMs()
  }
}

function filesOf(tree: string): readonly string[] {
  return readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => !entry.isDirectory())
    .map((entry) => join(entry.parentPath, entry.name).slice(tree.length + 1))
}

function contents(tree: string, paths: readonly string[]): readonly (readonly [string, Buffer])[] {
  return paths.map((path) => [path, readFileSync(join(tree, path))] as const)
}
