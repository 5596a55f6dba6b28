import { abortable } from '../../util/abortable.ts'
import type { Clock } from '../../util/clock.ts'
import type { BackgroundTasks } from './background-tasks.ts'
import type { ModeOf } from './file-modes.ts'
import type { FileSystem } from './file-system.ts'
import { BACKGROUND_SLICE_MS, FOREGROUND_SLICE_MS, inSlices } from './slices.ts'
import { checkTree } from './tree-check.ts'
import { TreeFiles } from './tree-files.ts'
import { linkTree } from './tree-walk.ts'
import { isSameContent, type TreeContent } from './visible-tree.ts'
import type { WorkArea } from './work-area.ts'

const MAX_TREES = 8
/** A tree that was free this long is one that this load does not need. */
const IDLE_MS = 60_000
/** A tree may always miss this many paths; beyond it, half of what the tree holds. */
const MISSED_FLOOR = 1000

interface Tree {
  readonly directory: string
  /** What it holds on disk; undefined = not known. */
  readonly content: TreeContent | undefined
  /** When the grace of its readers ends, by the monotonic clock. */
  freeAt: number
  /** Paths in which it differs from the current tree; undefined = unknown or too many to catch up. */
  missed: Set<string> | undefined
  /** How many read it: a copy is being made of it, or it is being verified. */
  pins: number
}

export interface TreeRotationOptions {
  readonly files: FileSystem
  readonly work: WorkArea
  readonly clock: Clock
  readonly background: BackgroundTasks
  readonly readerGraceMs: number
  readonly directoryMode: number
}

/**
 * The complete trees of a root: the current one, and those that the next publish can be made of, which differ from it
 * in the few paths that they missed. All share the files that are equal.
 *
 * A tree is: *current* → *retired*, untouched while its readers' grace lasts → *free* → taken (renamed first: paths of
 * readers that are late fail instead of mixing two revisions) → current again under a new name. Trees that missed too
 * much are removed. None free: one more is made of the current tree, in the background, up to 8 in all.
 */
export class TreeRotation {
  readonly #files: FileSystem
  readonly #work: WorkArea
  readonly #clock: Clock
  readonly #background: BackgroundTasks
  readonly #readerGraceMs: number
  readonly #directoryMode: number
  #current: Tree | undefined
  #others: Tree[] = []
  #build: Promise<void> | undefined
  #isSweeping = false
  #publishedAt = Number.NEGATIVE_INFINITY

  constructor({ files, work, clock, background, readerGraceMs, directoryMode }: TreeRotationOptions) {
    this.#files = files
    this.#work = work
    this.#clock = clock
    this.#background = background
    this.#readerGraceMs = readerGraceMs
    this.#directoryMode = directoryMode
  }

  /** Takes over what stands: the tree that consumers see, and others that may have late readers. */
  start(current: string | undefined, leftovers: readonly string[], content: TreeContent | undefined): void {
    this.#current = current === undefined ? undefined : { ...this.#tree(current, 0, new Set()), content }
    this.#others = leftovers.map((directory) => this.#tree(directory, this.#readerGraceMs, undefined))
  }

  /** Sees to it, in the background, that there is a tree for the next publish. */
  prepare(): void {
    this.#tidy()
  }

  /** Directory of the tree that consumers see; undefined = none. */
  get current(): string | undefined {
    return this.#current?.directory
  }

  /** Resolves when `take` would not wait. Rejects with the abort reason, or with why no tree can be made. */
  async ready(signal: AbortSignal): Promise<void> {
    await this.#free(signal)
  }

  /**
   * A complete tree equal to the current one, for the caller to change and publish, or to discard. Waits until one is
   * free; rejects with the abort reason. `beforeRename` is called once one is.
   */
  async take(signal: AbortSignal, beforeRename: () => void): Promise<string> {
    const tree = await this.#free(signal)
    beforeRename()
    const directory = this.#work.newDirectory()
    this.#files.rename(tree.directory, directory)
    this.#others = this.#others.filter((other) => other !== tree)
    try {
      await inSlices(this.#catchUp(directory, tree.missed ?? new Set()), FOREGROUND_SLICE_MS, signal)
      return directory
    } catch (error) {
      this.#work.discard(directory)
      throw error
    }
  }

  /** The current tree stays as it is, also when it is not the current one any more, until the result is called. */
  pinCurrent(): () => void {
    const tree = this.#current
    if (tree === undefined) return () => undefined
    tree.pins += 1
    return () => {
      tree.pins -= 1
      this.#tidy()
    }
  }

  /**
   * `directory` is the current tree now; it differs from the one before in the paths `changed` (undefined = in any).
   * `content`: what it holds.
   */
  replaceCurrent(directory: string, changed: readonly string[] | undefined, content: TreeContent): void {
    if (this.#current !== undefined) {
      this.#current.freeAt = this.#clock.monotonic() + this.#readerGraceMs
      this.#others.push(this.#current)
    }
    for (const tree of this.#others) this.#miss(tree, changed, Math.max(MISSED_FLOOR, content.files / 2))
    this.#current = { ...this.#tree(directory, 0, new Set()), content }
    this.#publishedAt = this.#clock.monotonic()
    this.#tidy()
  }

  /**
   * `directory` is equal to the current tree and nobody has seen it. It takes the place of the other trees: those may
   * have been changed while they could be seen, and would bring that back.
   */
  addSpare(directory: string): void {
    for (const tree of this.#others) tree.missed = undefined
    this.#others.push({ ...this.#tree(directory, 0, new Set()), content: this.#current?.content })
    this.#tidy()
  }

  /**
   * Reads the trees that the next publishes can be made of, and gives up those that are not what they were when they
   * were current: somebody changed them while they could be seen, and they would bring that back.
   */
  async dropChanged(modeOf: ModeOf, signal: AbortSignal): Promise<void> {
    const options = { files: this.#files, modeOf, directoryMode: this.#directoryMode }
    for (const tree of this.#others.filter(isUsable)) {
      const { directory, content } = tree
      const found = await inSlices(checkTree({ ...options, directory }), BACKGROUND_SLICE_MS, signal)
      const isSame = content !== undefined && found.isSound && isSameContent(found, content)
      // One that was taken meanwhile is another object by now, and its directory had gone.
      if (!isSame && this.#others.includes(tree)) tree.missed = undefined
    }
    this.#tidy()
  }

  #tree(directory: string, graceMs: number, missed: Set<string> | undefined): Tree {
    return { directory, freeAt: this.#clock.monotonic() + graceMs, missed, pins: 0, content: undefined }
  }

  #miss(tree: Tree, changed: readonly string[] | undefined, limit: number): void {
    if (changed === undefined) tree.missed = undefined
    for (const path of changed ?? []) tree.missed?.add(path)
    if (tree.missed !== undefined && tree.missed.size > limit) tree.missed = undefined
  }

  async #free(signal: AbortSignal): Promise<Tree> {
    for (;;) {
      signal.throwIfAborted()
      this.#tidy()
      const now = this.#clock.monotonic()
      const free = this.#others.filter((tree) => isUsable(tree) && tree.freeAt <= now)
      // The newest one has missed least; older ones fall idle and go when the load does not need them.
      const best = newest(free)
      const waitMs = this.#publishedAt + this.#gapMs(free.length) - now
      if (best !== undefined && waitMs <= 0) return best
      if (best === undefined) await this.#change(signal)
      else await this.#clock.sleep(waitMs, signal)
    }
  }

  /**
   * How long after a publish the next one may follow. While many trees are to be had: at once. Under load: evenly, as
   * often as the readers' grace lets 8 trees go round, instead of using them all up and pausing for the rest of it.
   */
  #gapMs(free: number): number {
    const available = free + MAX_TREES - (this.#others.length + 1)
    return available >= MAX_TREES / 2 ? 0 : this.#readerGraceMs / (MAX_TREES - 1)
  }

  /** Resolves when a tree may have become free: one was built, or a grace is over. */
  async #change(signal: AbortSignal): Promise<void> {
    const build = this.#ensureBuild()
    const now = this.#clock.monotonic()
    const graceMs = Math.min(...this.#others.map((tree) => tree.freeAt - now).filter((ms) => ms > 0))
    if (!Number.isFinite(graceMs)) {
      if (build !== undefined) await abortable(build, signal)
      return
    }
    const over = new AbortController()
    const sleep = this.#clock.sleep(graceMs, AbortSignal.any([signal, over.signal]))
    try {
      // A build that fails is no failure of the publish: a tree becomes free all the same.
      await Promise.race([sleep, build?.catch(() => sleep) ?? sleep])
    } finally {
      over.abort()
      await sleep.catch(() => undefined)
    }
  }

  /** One more tree like the current one; undefined = there are as many as there may be. */
  #ensureBuild(): Promise<void> | undefined {
    if (this.#build === undefined && this.#current !== undefined && this.#others.length + 1 < MAX_TREES) {
      const source = this.#current
      this.#build = this.#background.run('copy a tree', (signal) => this.#copy(source, signal))
    }
    return this.#build
  }

  async #copy(source: Tree, signal: AbortSignal): Promise<void> {
    const directory = this.#work.newDirectory()
    source.pins += 1
    try {
      const work = linkTree(this.#files, source.directory, directory, { directoryMode: this.#directoryMode })
      await inSlices(work, BACKGROUND_SLICE_MS, signal)
      // Publishes may have passed the source meanwhile: what it missed is what the copy has missed.
      const copy = this.#tree(directory, 0, source.missed && new Set(source.missed))
      this.#others.push({ ...copy, content: source.content })
    } catch (error) {
      this.#work.discard(directory)
      throw error
    } finally {
      source.pins -= 1
      this.#build = undefined
    }
    this.#tidy()
  }

  /** Removes what is of no use any more, and sees to it that there is a tree for the next publish. */
  #tidy(): void {
    const now = this.#clock.monotonic()
    const kept = newest(this.#others.filter(isUsable))
    const isNeeded = (tree: Tree) =>
      tree === kept || tree.pins > 0 || tree.freeAt > (tree.missed === undefined ? now : now - IDLE_MS)
    const useless = this.#others.filter((tree) => !isNeeded(tree))
    this.#others = this.#others.filter(isNeeded)
    for (const tree of useless) this.#work.discard(tree.directory)
    if (kept === undefined) this.#ensureBuild()
    this.#sweepLater()
  }

  /** Trees that are only kept for late readers go when their grace is over, though nothing may be published then. */
  #sweepLater(): void {
    const now = this.#clock.monotonic()
    const waiting = this.#others.filter((tree) => tree.missed === undefined && tree.pins === 0)
    const graceMs = Math.max(...waiting.map((tree) => tree.freeAt - now))
    if (this.#isSweeping || !Number.isFinite(graceMs)) return
    this.#isSweeping = true
    this.#background.run('wait for late readers', async (signal) => {
      await this.#clock.sleep(Math.max(0, graceMs), signal)
      this.#isSweeping = false
      this.#tidy()
    })
  }

  /** For each path that the tree in `directory` missed: the current tree's file, or none. */
  *#catchUp(directory: string, missed: ReadonlySet<string>): Generator<void, void> {
    const options = { files: this.#files, directoryMode: this.#directoryMode }
    const tree = new TreeFiles({ ...options, directory })
    const current = new TreeFiles({ ...options, directory: this.current ?? directory })
    for (const path of missed) {
      const file = current.locate(path)
      if (file === undefined) tree.remove(path)
      else tree.link(path, file.path)
      yield
    }
  }
}

/** Neither beyond catching up nor being read. */
function isUsable(tree: Tree): boolean {
  return tree.missed !== undefined && tree.pins === 0
}

function newest(trees: readonly Tree[]): Tree | undefined {
  return trees.reduce<Tree | undefined>((best, tree) => (best && best.freeAt >= tree.freeAt ? best : tree), undefined)
}
