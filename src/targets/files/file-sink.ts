import type {
  MergedBatch,
  OpenedSink,
  ReportDifference,
  RestoreOptions,
  Sink,
  SnapshotSource,
  Totals,
  WriteOptions,
  WriteResult,
} from '../../mirror/sink.ts'
import { SinkError } from '../../mirror/sink-error.ts'
import type { Position } from '../../replication/position.ts'
import type { Clock } from '../../util/clock.ts'
import type { Logger } from '../../util/logger.ts'
import { BackgroundFaults } from './background-faults.ts'
import { readBootId } from './boot-id.ts'
import { toSinkError } from './file-error.ts'
import { modesOf } from './file-modes.ts'
import { FileSystem } from './file-system.ts'
import type { FileTargetOptions } from './file-target-options.ts'
import { HeldRoot } from './held-root.ts'
import { KeyErrorSet } from './key-errors.ts'
import { KeyPaths } from './key-paths.ts'
import { type Layout, layoutOf, RESERVED_NAMES } from './layout.ts'
import { type OpenRoot, type OpenRootOptions, openRoot } from './open-root.ts'
import { assertDirectories } from './owner.ts'
import type { PathChange } from './path-change.ts'
import { type Difference, differenceOf, stageChanges, stageNew } from './path-changes.ts'
import type { Projection, ProjectionSource } from './projection.ts'
import { noHooks, type PublishHooks } from './publish-hooks.ts'
import type { OnPublishStep } from './publish-step.ts'
import type { VisibleState } from './publisher.ts'
import type { PublisherOptions } from './publisher-options.ts'
import { addTo, toKeyChange, totalsOf } from './sink-content.ts'
import { FOREGROUND_SLICE_MS, inSlices } from './slices.ts'
import { Staging } from './staging.ts'
import { TreeDigest } from './tree-digest.ts'
import { TreeFiles } from './tree-files.ts'
import { treeProjection } from './tree-projection.ts'
import type { TreeContent } from './visible-tree.ts'

export interface FileSinkOptions {
  readonly options: FileTargetOptions
  /** Owner of the root: another mirror's root is refused. */
  readonly mirrorName: string
  /** Stripped from every key. */
  readonly prefix: Buffer
  /** Of everything that decides what stands in the files: another one than before needs a snapshot. */
  readonly configHash: string
  /** What stands in the files. Default: one file a key. */
  readonly projection?: ProjectionSource
  /** Default: none. */
  readonly hooks?: PublishHooks
  /** Of the program; only written down. */
  readonly version: string
  readonly logger: Logger
  readonly clock: Clock
  /** Default: the real ones. */
  readonly files?: FileSystem
  /** Default: this machine's. */
  readonly bootId?: string | undefined
  /** Hears each step of a publish before it begins. */
  readonly onStep?: OnPublishStep
}

/**
 * A sink that publishes a prefix as a tree of files. Layout Snapshot: `<root>/current` is a symbolic link to the complete
 * tree of one revision, and is replaced as one. Layout InPlace: `<root>/<key path>`, each file replaced as one. Work goes in
 * slices of some milliseconds. Nothing is flushed to disk: after a crash of the machine a snapshot is compared.
 */
export function createFileSink(options: FileSinkOptions): Sink {
  return new FileSink(options)
}

/** A complete new tree and what is known of it. */
interface Staged {
  readonly staging: Staging
  readonly directory: string
  readonly keyErrors: KeyErrorSet
  readonly projection: Projection
  readonly position: Position
}

/** What is about to be visible. */
interface Next {
  readonly position: Position
  readonly keyErrors: KeyErrorSet
  readonly copy: Totals
  readonly content: TreeContent
}

/** What stands below the root, while it is this process's. */
interface Opened extends OpenRoot {
  published: VisibleState['published'] | undefined
  keyErrors: KeyErrorSet
  /** Keys that consumers see, in whatever files. */
  copy: Totals
  /** Of the visible tree. */
  content: TreeContent
  /** Of what consumers see; undefined = not all of its values are known. */
  projection: Projection | undefined
}

const ANEW = 'A snapshot makes the copy anew.'
type Shown = Pick<WriteResult, 'published' | 'keyErrors' | 'totals'>

class FileSink implements Sink {
  readonly #options: FileTargetOptions
  readonly #layout: Layout
  readonly #files: FileSystem
  readonly #paths: KeyPaths
  readonly #projections: ProjectionSource
  readonly #hooks: PublishHooks
  readonly #configHash: string
  readonly #bootId: string | undefined
  readonly #root: Omit<OpenRootOptions, 'inspects' | 'inspect'>
  #opened: Opened | undefined

  constructor(given: FileSinkOptions) {
    this.#options = given.options
    this.#layout = layoutOf(given.options.root)
    this.#files = given.files ?? new FileSystem()
    const isInPlace = given.options.layout === 'InPlace'
    this.#paths = new KeyPaths(given.prefix, this.#layout, isInPlace ? RESERVED_NAMES : new Set())
    this.#projections = given.projection ?? treeProjection
    this.#hooks = given.hooks ?? noHooks
    this.#configHash = given.configHash
    this.#bootId = 'bootId' in given ? given.bootId : readBootId()
    const { mirrorName: mirror, prefix, version, clock, logger, onStep = () => undefined } = given
    const owner = { mirror, prefixBase64: prefix.toString('base64'), version, layout: given.options.layout }
    const faults = new BackgroundFaults(logger, mirror, given.options.root)
    const shared = { files: this.#files, layout: this.#layout, options: this.#options, modeOf: modesOf(given.options) }
    this.#root = { ...shared, owner, clock, onStep, held: new HeldRoot(), faults }
  }

  async open({ signal }: { readonly signal: AbortSignal }): Promise<OpenedSink> {
    return this.#guard('open', async () => {
      const { publisher, published, keyErrors, copy } = await this.#takeOver(signal)
      const { found, isPublished } = publisher
      const isSameConfig = found?.configHash === this.#configHash
      const isTrusted = isPublished && isSameConfig && found.isComplete && found.bootId === this.#bootId
      if (isTrusted) publisher.prepare()
      return {
        position: isTrusted && !this.#projections.needsValues ? found.position : undefined,
        published,
        keyErrors: keyErrors.summary(),
        totals: found && copy,
        isSameConfig,
      }
    })
  }

  async restore(source: SnapshotSource, options: RestoreOptions): Promise<WriteResult> {
    const { signal, onDifference = () => undefined } = options
    const opened = await this.#guard('open', async () => this.#opened ?? (await this.#takeOver(signal)))
    const directory = opened.work.newDirectory()
    const keyErrors = new KeyErrorSet()
    const projection = this.#projections.begin(this.#paths)
    try {
      const staging = await this.#guard('write below', async () => this.#beginStaging(opened, directory, onDifference))
      for await (const page of source.pages) {
        const changes = projection.take(page, keyErrors)
        await this.#guard('write below', () => this.#sliced(stageNew(staging, changes), signal))
      }
      const { changes, position } = await source.finish()
      const last = projection.take(changes.map(toKeyChange), keyErrors)
      const outputs = await projection.outputs(position, signal)
      return await this.#guard('publish below', async () => {
        this.#refuseStepBack(opened, position)
        await this.#sliced(stageChanges(staging, [...last, ...outputs]), signal)
        return this.#publishStaging(opened, { staging, directory, keyErrors, projection, position }, options)
      })
    } catch (error) {
      opened.work.discard(directory)
      throw error
    }
  }

  async ready({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#opened?.publisher.ready(signal).catch(() => signal.throwIfAborted())
  }

  async apply({ changes, position }: MergedBatch, { signal, admit }: WriteOptions): Promise<WriteResult> {
    return this.#guard('publish below', async () => {
      const opened = await this.#published(position, signal)
      const { publisher } = opened
      const keyErrors = opened.keyErrors.copy()
      const { projection } = opened
      if (projection === undefined) throw this.#broken('its values are not known', ANEW)
      const taken = projection.take(changes.map(toKeyChange), keyErrors)
      const wanted = [...taken, ...(await projection.outputs(position, signal))]
      const difference = await this.#sliced(this.#difference(opened, wanted), signal)
      const differing = difference.changes
      const content = addTo(opened.content, difference)
      const next = { position, keyErrors, content, copy: projection.totals ?? totalsOf(content, keyErrors) }
      if (differing.length === 0 && !publisher.isTorn) return this.#remember(opened, next)
      admit?.(next.copy)
      try {
        await publisher.publishChanges(differing, this.#state(position, next), signal)
      } catch (error) {
        await this.#countWhatIsThere(opened, wanted, content)
        throw error
      }
      const removed = differing.filter(({ bytes }) => bytes === undefined).length
      return { written: differing.length - removed, removed, ...this.#shown(opened, next, differing) }
    })
  }

  async advance(position: Position, { signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#guard('remember a position below', async () => {
      const opened = await this.#published(position, signal)
      this.#remember(opened, { ...opened, position })
    })
  }

  async verify({ signal }: { readonly signal: AbortSignal }): Promise<{ readonly sound: boolean }> {
    const opened = this.#opened
    if (!opened?.publisher.isPublished) return { sound: false }
    try {
      return { sound: await opened.publisher.verify(() => opened.content, signal) }
    } catch (error) {
      throw toSinkError(error, this.#layout.root, 'verify')
    }
  }

  async told({ signal }: { readonly signal: AbortSignal }): Promise<void> {
    await this.#hooks.told(signal)
  }

  async close(): Promise<void> {
    const opened = this.#opened
    this.#opened = undefined
    this.#projections.close()
    await this.#hooks.close()
    await opened?.background.stop()
    opened?.lock.release()
  }

  /** Starts from what stands below the root, whatever was known before. */
  async #takeOver(signal: AbortSignal): Promise<Opened> {
    await this.close()
    const inspect: PublisherOptions['inspect'] = (directory, changed, { published: { revision } }, inspectSignal) =>
      this.#hooks.before({ directory, changed, revision }, inspectSignal)
    const inspects: PublisherOptions['inspects'] = (changed) => this.#hooks.asks(changed)
    const root = await openRoot({ ...this.#root, inspects, inspect }, signal)
    const { found, foundPublished: published, isPublished } = root.publisher
    const keyErrors = new KeyErrorSet(found?.keyErrors)
    const content = { files: found?.files ?? 0, bytes: found?.bytes ?? 0, digest: found?.digest ?? new TreeDigest() }
    const copy = found?.copy ?? totalsOf(content, keyErrors)
    const projection = this.#projections.needsValues ? undefined : this.#projections.begin(this.#paths)
    const opened = { ...root, published, keyErrors, copy, content, projection }
    this.#opened = opened
    const visible = published && isPublished ? { ...published, digest: content.digest.toString() } : undefined
    this.#hooks.opened({ visible, pin: () => root.publisher.pin() })
    return opened
  }

  /** The opened root, with a state that consumers see and that `position` does not lie before. */
  async #published(position: Position, signal: AbortSignal): Promise<Opened> {
    const opened = this.#opened ?? (await this.#takeOver(signal))
    if (!opened.publisher.isPublished) throw this.#broken('no complete state is published there', ANEW)
    assertDirectories(this.#files, this.#layout, this.#options.layout)
    this.#refuseStepBack(opened, position)
    return opened
  }

  #beginStaging({ publisher }: Opened, directory: string, report: ReportDifference): Staging {
    assertDirectories(this.#files, this.#layout, this.#options.layout)
    this.#root.onStep('stage')
    this.#files.mkdir(directory, this.#options.directoryMode)
    const current = publisher.directory === undefined ? undefined : this.#tree(publisher.directory)
    return new Staging(this.#tree(directory, { isFresh: true }), current, { modeOf: this.#root.modeOf, report })
  }

  async #publishStaging(opened: Opened, staged: Staged, options: RestoreOptions): Promise<WriteResult> {
    assertDirectories(this.#files, this.#layout, this.#options.layout)
    const { publisher } = opened
    const { staging, directory, keyErrors, projection, position } = staged
    const { signal, admit, onDifference = () => undefined } = options
    const content = { files: staging.count, bytes: staging.bytes, digest: staging.digest }
    const next = { position, keyErrors, content, copy: projection.totals ?? totalsOf(content, keyErrors) }
    const { visible: shown } = publisher
    const before = shown && (await this.#sliced(shown.survey(onDifference), signal))
    // The fallback stands for no revision of etcd: even an equal state takes its place.
    const isComparable = publisher.isPublished && !publisher.isTorn && opened.published?.revision !== 0
    if (isComparable && before?.isSound && staging.written === 0 && staging.count === before.files) {
      opened.projection = projection
      const result = this.#remember(opened, next)
      publisher.addSpare(directory)
      return result
    }
    if (shown && before && (!before.isSound || before.files > staging.known))
      await this.#sliced(shown.compare(directory, onDifference), signal)
    admit?.(next.copy)
    await publisher.publishTree(directory, this.#state(position, next), signal)
    opened.projection = projection
    const removed = before ? before.files - staging.known : 0
    return { written: staging.written, removed, ...this.#shown(opened, next) }
  }

  *#difference({ publisher }: Opened, wanted: readonly PathChange[]): Generator<void, Difference> {
    const { directory } = publisher
    if (directory === undefined) throw new Error('nothing is published')
    return yield* differenceOf(this.#tree(directory), wanted, this.#root.modeOf)
  }

  /** A publish that failed may have been seen in part, in the layout InPlace: then not all of `wanted` is missing. */
  async #countWhatIsThere(opened: Opened, wanted: readonly PathChange[], content: TreeContent): Promise<void> {
    if (!opened.publisher.isTorn) return
    const missing = await this.#sliced(this.#difference(opened, wanted), new AbortController().signal)
    opened.content = {
      files: content.files - missing.files,
      bytes: content.bytes - missing.bytes,
      digest: content.digest.minus(missing.digest),
    }
  }

  /** `next` is visible now. */
  #shown(opened: Opened, next: Next, changes?: readonly PathChange[]): Shown {
    const { revision, epoch } = next.position
    opened.published = { revision, epoch }
    const paths = changes?.map(({ path }) => path)
    this.#hooks.published({ revision, epoch, digest: next.content.digest.toString() }, paths)
    return visible(opened, next)
  }

  /** Writes down that what is visible equals etcd at the position of `next`. */
  #remember(opened: Opened, next: Next): WriteResult {
    const { publisher, published } = opened
    if (published !== undefined) publisher.remember(this.#state(published, next))
    return { written: 0, removed: 0, ...visible(opened, next), published: false }
  }

  #state({ revision, epoch }: VisibleState['published'], next: Next): VisibleState {
    const { position, keyErrors, copy, content } = next
    const origin = { configHash: this.#configHash, bootId: this.#bootId }
    return { published: { revision, epoch }, position, ...origin, keyErrors: keyErrors.entries(), copy, ...content }
  }

  #refuseStepBack({ published }: Opened, { epoch, revision }: Position): void {
    if (published === undefined || epoch > published.epoch) return
    if (epoch === published.epoch && revision >= published.revision) return
    const state = `epoch ${epoch} revision ${revision} lies before epoch ${published.epoch} revision ${published.revision}`
    throw this.#broken(state, 'Report this: published revisions never go back within an epoch.')
  }

  #broken(state: string, hint: string): SinkError {
    const { root } = this.#layout
    return new SinkError('TargetBroken', root, `Cannot publish below ${root}: ${state}`, { hint })
  }

  #tree(directory: string, { isFresh = false } = {}): TreeFiles {
    return new TreeFiles({ files: this.#files, directory, directoryMode: this.#options.directoryMode, isFresh })
  }

  #sliced<Result>(work: Generator<void, Result>, signal: AbortSignal): Promise<Result> {
    return inSlices(work, FOREGROUND_SLICE_MS, signal)
  }

  /** Runs file calls: what fails comes out as a SinkError, and what stands there is looked at anew if it surprised us. */
  async #guard<Result>(action: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work()
    } catch (error) {
      const failure = toSinkError(error, this.#layout.root, action)
      if (failure instanceof SinkError && failure.code === 'TargetBroken') await this.close()
      throw failure
    }
  }
}

function visible(opened: Opened, { keyErrors, content, copy }: Next): Shown {
  Object.assign(opened, { keyErrors, content, copy })
  opened.projection?.published()
  return { published: true, keyErrors: keyErrors.summary(), totals: copy }
}
