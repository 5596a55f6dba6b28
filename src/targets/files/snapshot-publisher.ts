import { clearPlaces, removeInPlace } from './leave-in-place.ts'
import { ensureDirectory, writeOwner } from './owner.ts'
import type { PathChange } from './path-change.ts'
import { writeChanges } from './path-changes.ts'
import { isCurrent, publishTree, treePath } from './publication.ts'
import type { PinnedTree } from './publish-hooks.ts'
import type { Publisher, VisibleState } from './publisher.ts'
import type { PublisherOptions } from './publisher-options.ts'
import { type RootSurvey, revisionOfName, surveyRoot } from './root-survey.ts'
import { BACKGROUND_SLICE_MS, FOREGROUND_SLICE_MS, inSlices } from './slices.ts'
import { writeState } from './state-file.ts'
import { TreeFiles } from './tree-files.ts'
import { TreeRotation } from './tree-rotation.ts'
import { type TreeContent, VisibleTree } from './visible-tree.ts'

/** The layout Snapshot: complete trees, one directory each, and a link to the visible one that is replaced as one. */
export class SnapshotPublisher implements Publisher {
  readonly found: Publisher['found']
  readonly foundPublished: Publisher['foundPublished']
  readonly isTorn = false
  readonly #options: PublisherOptions
  readonly #rotation: TreeRotation
  #name: string | undefined
  #names: RootSurvey['names']
  /** Files of the layout InPlace stand below the root, of use to consumers until a tree is visible. */
  #isSwitching: boolean

  /** Takes over what stands below the root. */
  static async open(options: PublisherOptions, signal: AbortSignal): Promise<SnapshotPublisher> {
    const { files, layout, claimed } = options
    const { directoryMode } = options.options
    if (claimed.layout === 'InPlace') await clearPlaces(files, layout, signal)
    ensureDirectory(files, layout, layout.revisions, directoryMode)
    files.setMode(layout.revisions, directoryMode)
    return new SnapshotPublisher(options, surveyRoot(files, layout))
  }

  private constructor(options: PublisherOptions, { name, state, names, leftovers, debris }: RootSurvey) {
    this.#options = options
    this.#rotation = new TreeRotation({ ...options, ...options.options })
    for (const directory of debris) options.work.discard(directory)
    this.#rotation.start(name && treePath(options.layout, name), leftovers, state)
    this.#name = name
    this.#names = names
    this.#isSwitching = options.claimed.layout === 'InPlace'
    this.found = state
    this.foundPublished = state?.published ?? (name ? { revision: revisionOfName(name), epoch: 0 } : undefined)
    this.#leaveInPlace()
  }

  get isPublished(): boolean {
    return this.#name !== undefined
  }

  get directory(): string | undefined {
    return this.#name && treePath(this.#options.layout, this.#name)
  }

  prepare(): void {
    this.#rotation.prepare()
  }

  ready(signal: AbortSignal): Promise<void> {
    return this.#rotation.ready(signal)
  }

  get visible(): VisibleTree | undefined {
    const name = this.#name
    if (name === undefined) return undefined
    const { files, layout, options, modeOf } = this.#options
    const { directoryMode } = options
    const isLinked = () => isCurrent(files, layout, name)
    return new VisibleTree({ files, directory: treePath(layout, name), modeOf, directoryMode, isLinked })
  }

  async verify(content: () => TreeContent, signal: AbortSignal): Promise<boolean> {
    const { visible } = this
    if (visible === undefined) return false
    const unpin = this.#rotation.pinCurrent()
    try {
      if (!(await inSlices(visible.holds(content()), BACKGROUND_SLICE_MS, signal))) return false
    } finally {
      unpin()
    }
    await this.#rotation.dropChanged(this.#options.modeOf, signal)
    return true
  }

  pin(): PinnedTree | undefined {
    const { directory } = this
    return directory === undefined ? undefined : { directory, release: this.#rotation.pinCurrent() }
  }

  async publishTree(directory: string, state: VisibleState, signal: AbortSignal): Promise<void> {
    await this.#options.inspect(directory, undefined, state, signal)
    this.#publish(directory, state)
    this.#rotation.replaceCurrent(this.#current, undefined, state)
  }

  async publishChanges(changes: readonly PathChange[], state: VisibleState, signal: AbortSignal): Promise<void> {
    const { files, options, modeOf, onStep, work, inspect } = this.#options
    const { directoryMode } = options
    const paths = changes.map(({ path }) => path)
    const directory = await this.#rotation.take(signal, () => onStep('take-tree'))
    try {
      onStep('write-changes')
      const tree = new TreeFiles({ files, directory, directoryMode })
      await inSlices(writeChanges(tree, changes, modeOf), FOREGROUND_SLICE_MS, signal)
      await inspect(directory, paths, state, signal)
      this.#publish(directory, state)
    } catch (error) {
      work.discard(directory)
      throw error
    }
    this.#rotation.replaceCurrent(this.#current, paths, state)
  }

  remember(state: VisibleState): void {
    if (this.#name === undefined) return
    const { files, layout, onStep } = this.#options
    onStep('remember-position')
    writeState(files, layout, this.#name, { ...state, names: this.#names })
  }

  addSpare(directory: string): void {
    this.#rotation.addSpare(directory)
  }

  #publish(directory: string, state: VisibleState): void {
    const { files, layout, onStep, work } = this.#options
    const { name, names } = publishTree({
      files,
      layout,
      onStep,
      directory,
      state: { ...state, names: this.#names },
      previous: this.#name,
      discard: (path) => work.discard(path),
    })
    this.#name = name
    this.#names = names
    this.#leaveInPlace()
  }

  /** The layout was changed: what the one before left goes once this one shows a state. */
  #leaveInPlace(): void {
    if (!this.#isSwitching || this.#name === undefined) return
    this.#isSwitching = false
    const { files, layout, owner, background } = this.#options
    background.run('remove what the layout InPlace left', async (signal) => {
      await inSlices(removeInPlace(files, layout), BACKGROUND_SLICE_MS, signal)
      writeOwner(files, layout, owner)
    })
  }

  get #current(): string {
    if (this.#name === undefined) throw new Error('nothing is published')
    return treePath(this.#options.layout, this.#name)
  }
}
