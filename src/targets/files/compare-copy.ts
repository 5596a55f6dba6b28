import type { Dirent } from 'node:fs'
import type { KeyErrors, Totals } from '../../mirror/sink.ts'
import type { Position } from '../../replication/position.ts'
import type { CopyDifference, FileFacts } from './copy-difference.ts'
import { isFileError, toSinkError } from './file-error.ts'
import { type ModeOf, modesOf } from './file-modes.ts'
import { FileSystem, hasMode } from './file-system.ts'
import type { FileTargetOptions } from './file-target-options.ts'
import { KeyErrorSet } from './key-errors.ts'
import { KeyPaths } from './key-paths.ts'
import { layoutOf, RESERVED_NAMES } from './layout.ts'
import type { PathChange } from './path-change.ts'
import type { KeyChange } from './path-changes.ts'
import type { Projection, ProjectionSource } from './projection.ts'
import type { PublishedCopy } from './published-copy.ts'
import { totalsOf } from './sink-content.ts'
import { FOREGROUND_SLICE_MS, inSlices } from './slices.ts'
import { placeOf } from './tree-digest.ts'
import { TreeFiles } from './tree-files.ts'

export interface CompareCopyOptions {
  /** undefined = nothing is published. */
  readonly copy: PublishedCopy | undefined
  readonly target: FileTargetOptions
  readonly prefix: Buffer
  readonly projection: ProjectionSource
  /** All keys that belong to the copy, at `position`. What it throws is rethrown. */
  readonly pages: AsyncIterable<readonly KeyChange[]>
  readonly position: Position
  /** Keep what should stand in each differing path. */
  readonly keepBytes: boolean
  readonly signal: AbortSignal
}

export interface CopyComparison {
  /** By path. */
  readonly differences: readonly CopyDifference[]
  readonly keyErrors: KeyErrors
  /** Of the keys that belong there. */
  readonly totals: Totals
}

const PERMISSIONS = 0o777

/**
 * Compares a published tree with what belongs there, byte by byte; writes nothing. Memory: one path a key, one record
 * a difference, and of values what the projection keeps. A tree that changes meanwhile shows differences that never were. Throws `SinkError`
 * when the tree cannot be read, `GuardError` when the files cannot be made, and what `pages` throws.
 */
export async function compareCopy(options: CompareCopyOptions): Promise<CopyComparison> {
  const { pages, position, target, signal } = options
  const comparison = new Comparison(options)
  const sliced = (work: Generator<void, void>) => inSlices(work, FOREGROUND_SLICE_MS, signal)
  try {
    for await (const page of pages) await sliced(comparison.paths(comparison.take(page)))
    await sliced(comparison.paths(await comparison.projection.outputs(position, signal)))
    await sliced(comparison.rest())
  } catch (error) {
    throw toSinkError(error, target.root, 'read')
  }
  return comparison.result()
}

class Comparison {
  readonly #files = new FileSystem()
  readonly #copy: PublishedCopy | undefined
  readonly #modeOf: ModeOf
  readonly #keepsBytes: boolean
  readonly projection: Projection
  readonly #tree: TreeFiles | undefined
  readonly #wanted = new Set<string>()
  readonly #differences: CopyDifference[] = []
  readonly #keyErrors = new KeyErrorSet()
  #bytes = 0

  constructor({ copy, target, prefix, projection, keepBytes }: CompareCopyOptions) {
    const { root, layout, directoryMode } = target
    const reserved = layout === 'InPlace' ? RESERVED_NAMES : new Set<string>()
    this.#copy = copy
    this.#modeOf = modesOf(target)
    this.#keepsBytes = keepBytes
    this.projection = projection.begin(new KeyPaths(prefix, layoutOf(root), reserved))
    this.#tree = copy && new TreeFiles({ files: this.#files, directory: copy.directory, directoryMode })
  }

  take(page: readonly KeyChange[]): readonly PathChange[] {
    return this.projection.take(page, this.#keyErrors)
  }

  *paths(wanted: readonly PathChange[]): Generator<void, void> {
    for (const { path, bytes, modRevision } of wanted) {
      if (bytes !== undefined) this.#compare(path, bytes, modRevision)
      yield
    }
  }

  /** What stands there and belongs to no key. */
  *rest(): Generator<void, void> {
    if (this.#copy) yield* this.#walk(this.#copy.directory, '', this.#copy.reserved)
  }

  result(): CopyComparison {
    const differences = this.#differences.toSorted((a, b) => (a.path < b.path ? -1 : 1))
    const files = { files: this.#wanted.size, bytes: this.#bytes }
    const totals = this.projection.totals ?? totalsOf(files, this.#keyErrors)
    return { differences, keyErrors: this.#keyErrors.summary(), totals }
  }

  #compare(path: string, right: Buffer, modRevision: number | undefined): void {
    this.#wanted.add(path)
    this.#bytes += right.length
    const mode = this.#modeOf(path)
    const found = this.#look(path, right, mode)
    if (found === undefined) return
    const after = { bytes: right.length, mode }
    // What was read may be a view of a large page.
    const bytes = this.#keepsBytes ? Buffer.from(right) : undefined
    this.#differences.push({ path, ...found, after, modRevision, bytes })
  }

  /** undefined = the file is as it should be. */
  #look(path: string, right: Buffer, mode: number): Pick<CopyDifference, 'kind' | 'before'> | undefined {
    const tree = this.#tree
    const file = tree?.locate(path)
    if (tree === undefined || file === undefined) {
      const isOther = tree?.faultOf(path, mode) === 'type'
      return { kind: isOther ? 'type' : 'added', before: undefined }
    }
    const before = factsOf(file.stats)
    if (file.stats.size !== right.length || !this.#holds(file.path, right)) return { kind: 'changed', before }
    return hasMode(file.stats, mode) ? undefined : { kind: 'mode', before }
  }

  #holds(path: string, right: Buffer): boolean {
    try {
      return this.#files.holds(path, right)
    } catch (error) {
      if (isFileError(error, 'ENOENT')) return false
      throw error
    }
  }

  *#walk(directory: string, below: string, reserved: ReadonlySet<string>): Generator<void, void> {
    for (const entry of this.#entries(directory)) {
      if (reserved.has(entry.name)) continue
      const absolute = `${directory}/${entry.name}`
      const path = `${below}${entry.name}`
      if (entry.isDirectory()) yield* this.#walk(absolute, `${path}/`, new Set())
      else this.#judgeFound(entry, absolute, path)
      yield
    }
  }

  #judgeFound(entry: Dirent, absolute: string, path: string): void {
    if (this.#wanted.has(placeOf(path))) return
    const stats = this.#files.lstat(absolute)
    if (stats === undefined) return
    const kind = entry.isFile() ? 'removed' : 'type'
    this.#differences.push({
      path,
      kind,
      before: factsOf(stats),
      after: undefined,
      modRevision: undefined,
      bytes: undefined,
    })
  }

  /** A tree that is gone meanwhile has none. */
  #entries(directory: string): Dirent[] {
    try {
      return this.#files.readdir(directory)
    } catch (error) {
      if (isFileError(error, 'ENOENT', 'ENOTDIR')) return []
      throw error
    }
  }
}

function factsOf({ size, mode }: { readonly size: number; readonly mode: number }): FileFacts {
  return { bytes: size, mode: mode & PERMISSIONS }
}
