import { setImmediate as nextTurn } from 'node:timers/promises'
import { abortable } from '../../util/abortable.ts'
import { RESERVED_NAMES } from './layout.ts'
import { moveTree } from './move-tree.ts'
import type { PathChange } from './path-change.ts'
import { writeChanges } from './path-changes.ts'
import type { PinnedTree } from './publish-hooks.ts'
import type { PublishStep } from './publish-step.ts'
import type { Publisher, VisibleState } from './publisher.ts'
import type { PublisherOptions } from './publisher-options.ts'
import { NO_NAMES } from './revision-name.ts'
import { currentName, removeOtherStates, unfinishedWork } from './root-survey.ts'
import { BACKGROUND_SLICE_MS, FOREGROUND_SLICE_MS, inSlices } from './slices.ts'
import { IN_PLACE, readState, type StoredState, writeState } from './state-file.ts'
import { TreeFiles } from './tree-files.ts'
import { linkTree } from './tree-walk.ts'
import { type TreeContent, VisibleTree } from './visible-tree.ts'

/** A publish that has begun is brought to its end: half of it would be worse than a late stop. */
const NEVER = new AbortController().signal

/**
 * The layout InPlace: files below the root itself, each replaced by rename(2). An intent is written before the first
 * visible change and the state after the last, so that after a crash in between the position is unknown and a snapshot is
 * compared (docs/adr/0006-in-place-layout.md).
 */
export class InPlacePublisher implements Publisher {
  readonly found: StoredState | undefined
  readonly #options: PublisherOptions
  /** A state or an intent of this layout stands below the root. */
  #hasState: boolean
  #isPublished: boolean
  /** No key has a file below the root. */
  #isEmpty: boolean
  #isTorn = false
  #publishes = 0
  /** Settles when no publish goes on. */
  #published: Promise<unknown> = Promise.resolve()
  /** Settles when publishes may go on. */
  #verified: Promise<unknown> = Promise.resolve()

  /** Takes over what stands below the root. */
  constructor(options: PublisherOptions) {
    this.#options = options
    const { files, layout } = options
    const own = readState(files, layout, IN_PLACE)
    const name = currentName(files, layout)
    this.#hasState = own !== undefined
    this.#isPublished = own?.isComplete ?? false
    this.#isEmpty = own === undefined && files.readdir(layout.root).every((entry) => RESERVED_NAMES.has(entry.name))
    // Consumers of the layout before still see its tree.
    this.found = own ?? (name === undefined ? undefined : readState(files, layout, name))
    for (const directory of unfinishedWork(files, layout)) options.work.discard(directory)
    removeOtherStates(files, layout, own === undefined && name !== undefined ? name : IN_PLACE)
  }

  get foundPublished(): Publisher['foundPublished'] {
    return this.found?.published
  }

  get isPublished(): boolean {
    return this.#isPublished
  }

  get isTorn(): boolean {
    return this.#isTorn
  }

  /** Where nothing stands, nobody has to look. After a first publish that was cut short, its files do. */
  get directory(): string | undefined {
    return this.#isEmpty ? undefined : this.#options.layout.root
  }

  prepare(): void {}

  async ready(signal: AbortSignal): Promise<void> {
    await abortable(this.#verified, signal)
  }

  get visible(): VisibleTree | undefined {
    return this.#isEmpty ? undefined : this.#tree
  }

  get #tree(): VisibleTree {
    const { files, layout, options, modeOf } = this.#options
    const { directoryMode } = options
    const isLinked = () => true
    return new VisibleTree({
      files,
      directory: layout.root,
      modeOf,
      directoryMode,
      reserved: RESERVED_NAMES,
      isLinked,
    })
  }

  async verify(content: () => TreeContent, signal: AbortSignal): Promise<boolean> {
    const before = this.#publishes
    const isEqual = await inSlices(this.#tree.holds(content()), BACKGROUND_SLICE_MS, signal)
    if (isEqual || (before === this.#publishes && !this.#isTorn)) return isEqual
    // What was read may be of two states: once more, with publishes waiting.
    const verifying = this.#published.then(async () => {
      await nextTurn()
      return await inSlices(this.#tree.holds(content()), FOREGROUND_SLICE_MS, signal)
    })
    this.#verified = verifying.catch(() => undefined)
    return await verifying
  }

  pin(): PinnedTree | undefined {
    return { directory: this.#options.layout.root, release: () => undefined }
  }

  async publishTree(directory: string, state: VisibleState, signal: AbortSignal): Promise<void> {
    const { files, layout, options, inspect } = this.#options
    const { directoryMode } = options
    await inspect(directory, undefined, state, signal)
    const work = () => moveTree(files, directory, layout.root, { directoryMode, kept: RESERVED_NAMES })
    await this.#publish('move-files', state, work)
    this.addSpare(directory)
  }

  async publishChanges(changes: readonly PathChange[], state: VisibleState, signal: AbortSignal): Promise<void> {
    const { files, layout, options, modeOf } = this.#options
    const { directoryMode } = options
    // New files first: a directory that lives on does not vanish in between.
    const ordered = changes.toSorted((left, right) => Number(isDelete(left)) - Number(isDelete(right)))
    const tree = new TreeFiles({ files, directory: layout.root, directoryMode, scratch: layout.work })
    await this.ready(signal)
    await this.#inspectStaged(ordered, state, signal)
    await this.#publish('replace-files', state, () => writeChanges(tree, ordered, modeOf))
  }

  remember(state: VisibleState): void {
    if (!this.#isPublished) return
    this.#options.onStep('remember-position')
    this.#write(state)
  }

  addSpare(directory: string): void {
    this.#options.work.discard(directory)
  }

  /** Whoever wants to see the next state gets a tree of it: links to the files of now, and what changes. */
  async #inspectStaged(changes: readonly PathChange[], state: VisibleState, signal: AbortSignal): Promise<void> {
    const { files, layout, options, modeOf, work, inspects, inspect } = this.#options
    const { directoryMode } = options
    const paths = changes.map(({ path }) => path)
    if (!inspects(paths)) return
    const directory = work.newDirectory()
    const sliced = (steps: Generator<void, void>) => inSlices(steps, FOREGROUND_SLICE_MS, signal)
    try {
      await sliced(linkTree(files, layout.root, directory, { directoryMode, left: RESERVED_NAMES }))
      await sliced(writeChanges(new TreeFiles({ files, directory, directoryMode }), changes, modeOf))
      await inspect(directory, paths, state, signal)
    } finally {
      work.discard(directory)
    }
  }

  #publish(step: PublishStep, state: VisibleState, work: () => Generator<void, void>): Promise<void> {
    this.#publishes += 1
    const publishing = this.#moveOn(step, state, work)
    this.#published = publishing.catch(() => undefined)
    return publishing
  }

  async #moveOn(step: PublishStep, state: VisibleState, work: () => Generator<void, void>): Promise<void> {
    const { onStep } = this.#options
    onStep('write-intent')
    // Before the first state of this layout there is nothing that an intent could take back.
    if (this.#hasState) this.#write(state, { isIntent: true })
    this.#isTorn = true
    this.#isEmpty = false
    onStep(step)
    await inSlices(work(), FOREGROUND_SLICE_MS, NEVER)
    onStep('write-state')
    this.#write(state)
    this.#isTorn = false
    this.#isPublished = true
    this.#hasState = true
  }

  #write(state: VisibleState, options: { readonly isIntent?: boolean } = {}): void {
    const { files, layout } = this.#options
    writeState(files, layout, IN_PLACE, { ...state, names: this.found?.names ?? NO_NAMES }, options)
  }
}

function isDelete({ bytes }: PathChange): boolean {
  return bytes === undefined
}
