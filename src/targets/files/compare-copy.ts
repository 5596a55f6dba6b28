import type { Dirent } from 'node:fs'
import type { KeyErrors, Totals } from '../../mirror/sink.ts'
import type { CopyDifference, FileFacts } from './copy-difference.ts'
import { isFileError, toSinkError } from './file-error.ts'
import { FileSystem, hasMode } from './file-system.ts'
import type { FileTargetOptions } from './file-target-options.ts'
import { KeyErrorSet } from './key-errors.ts'
import { KeyPaths } from './key-paths.ts'
import { layoutOf, RESERVED_NAMES } from './layout.ts'
import type { PublishedCopy } from './published-copy.ts'
import { FOREGROUND_SLICE_MS, inSlices } from './slices.ts'
import { placeOf } from './tree-digest.ts'
import { TreeFiles } from './tree-files.ts'

export interface KeyToCompare {
  readonly key: Buffer
  readonly value: Buffer
  readonly modRevision: number
}

export interface CompareCopyOptions {
  /** undefined = nothing is published. */
  readonly copy: PublishedCopy | undefined
  readonly target: FileTargetOptions
  readonly prefix: Buffer
  /** All keys that belong to the copy. What it throws is rethrown. */
  readonly pages: AsyncIterable<readonly KeyToCompare[]>
  readonly signal: AbortSignal
}

export interface CopyComparison {
  /** By path. */
  readonly differences: readonly CopyDifference[]
  readonly keyErrors: KeyErrors
  /** Of what belongs there. */
  readonly totals: Totals
}

const PERMISSIONS = 0o777

/**
 * Compares a published tree with what belongs there, byte by byte; writes nothing. Memory: one path a key, and one record
 * a difference, but never all values. A tree that changes meanwhile shows differences that never were. Throws `SinkError`
 * when the tree cannot be read, and what `pages` throws.
 */
export async function compareCopy(options: CompareCopyOptions): Promise<CopyComparison> {
  const comparison = new Comparison(options)
  try {
    for await (const page of options.pages) {
      await inSlices(comparison.keys(page), FOREGROUND_SLICE_MS, options.signal)
    }
    await inSlices(comparison.rest(), FOREGROUND_SLICE_MS, options.signal)
  } catch (error) {
    throw toSinkError(error, options.target.root, 'read')
  }
  return comparison.result()
}

class Comparison {
  readonly #files = new FileSystem()
  readonly #copy: PublishedCopy | undefined
  readonly #mode: number
  readonly #paths: KeyPaths
  readonly #tree: TreeFiles | undefined
  readonly #wanted = new Set<string>()
  readonly #differences: CopyDifference[] = []
  readonly #keyErrors = new KeyErrorSet()
  #bytes = 0

  constructor({ copy, target, prefix }: CompareCopyOptions) {
    const { root, layout, mode, directoryMode } = target
    this.#copy = copy
    this.#mode = mode
    this.#paths = new KeyPaths(prefix, layoutOf(root), layout === 'InPlace' ? RESERVED_NAMES : new Set())
    this.#tree = copy && new TreeFiles({ files: this.#files, directory: copy.directory, directoryMode })
  }

  *keys(page: readonly KeyToCompare[]): Generator<void, void> {
    for (const key of page) {
      this.#compare(key)
      yield
    }
  }

  /** What stands there and belongs to no key. */
  *rest(): Generator<void, void> {
    if (this.#copy) yield* this.#walk(this.#copy.directory, '', this.#copy.reserved)
  }

  result(): CopyComparison {
    const differences = this.#differences.toSorted((a, b) => (a.path < b.path ? -1 : 1))
    const totals = { keys: this.#wanted.size + this.#keyErrors.size, bytes: this.#bytes }
    return { differences, keyErrors: this.#keyErrors.summary(), totals }
  }

  #compare({ key, value, modRevision }: KeyToCompare): void {
    const { path, reason } = this.#paths.resolve(key)
    if (path === undefined) {
      this.#keyErrors.add(key, reason)
      return
    }
    this.#wanted.add(path)
    this.#bytes += value.length
    const source = { key: Buffer.from(key), modRevision }
    const after = { bytes: value.length, mode: this.#mode }
    const found = this.#look(path, value)
    if (found !== undefined) this.#differences.push({ path, ...found, after, source })
  }

  /** undefined = the file is as it should be. */
  #look(path: string, value: Buffer): Pick<CopyDifference, 'kind' | 'before'> | undefined {
    const tree = this.#tree
    const file = tree?.locate(path)
    if (tree === undefined || file === undefined) {
      const isOther = tree?.faultOf(path, this.#mode) === 'type'
      return { kind: isOther ? 'type' : 'added', before: undefined }
    }
    const before = factsOf(file.stats)
    if (file.stats.size !== value.length || !this.#holds(file.path, value)) return { kind: 'changed', before }
    return hasMode(file.stats, this.#mode) ? undefined : { kind: 'mode', before }
  }

  #holds(path: string, value: Buffer): boolean {
    try {
      return this.#files.holds(path, value)
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
    this.#differences.push({ path, kind, before: factsOf(stats), after: undefined, source: undefined })
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
