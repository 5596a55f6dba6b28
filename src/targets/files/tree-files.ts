import type { Stats } from 'node:fs'
import { posix } from 'node:path'
import { isFileError } from './file-error.ts'
import { type FileSystem, hasMode } from './file-system.ts'
import { LEAF_NAME } from './key-path.ts'
import type { FileHash } from './tree-digest.ts'

/** Where a directory stands while it takes the name of a file, or gives it back. No key's path. */
const ASIDE = '%aside'
/** Where a file of a visible tree is made. */
const NEXT_FILE = '%next'
/** Paths of directories remembered as real ones; beyond it they are looked at again. */
const MAX_KNOWN = 10_000

export interface TreeFilesOptions {
  readonly files: FileSystem
  /** Absolute path of the tree. */
  readonly directory: string
  readonly directoryMode: number
  /**
   * For a tree that consumers see: an existing directory outside of it where files are made that are renamed into place,
   * so that each is seen old or new. Default: files are made in place.
   */
  readonly scratch?: string
  /** true: nothing stands there but what this object puts there, so most paths are free. Default false. */
  readonly isFresh?: boolean
}

export interface LocatedFile {
  /** Absolute. */
  readonly path: string
  readonly stats: Stats
}

/**
 * The files of one tree by key path. Knows where the file of a key stands that is a directory as well, and keeps the
 * tree free of empty directories: what stands in the end depends on the set of keys alone, not on the order of calls.
 * Follows no symbolic link; those in the way of a write are removed.
 *
 * Remembers which directories are real ones: use one object for one piece of work, and only one a time for writing.
 */
export class TreeFiles {
  readonly #files: FileSystem
  readonly #directory: string
  readonly #directoryMode: number
  readonly #scratch: string | undefined
  readonly #isFresh: boolean
  readonly #known = new Set<string>()
  /** false: somebody has put something else, such as a link, in the place of the tree. */
  readonly #isThere: boolean
  #count = 0

  constructor({ files, directory, directoryMode, scratch, isFresh = false }: TreeFilesOptions) {
    this.#files = files
    this.#directory = directory
    this.#directoryMode = directoryMode
    this.#scratch = scratch
    this.#isFresh = isFresh
    this.#isThere = files.lstat(directory)?.isDirectory() === true
  }

  /** Files put minus files removed by this object. */
  get count(): number {
    return this.#count
  }

  /** The regular file of a key; undefined = none. */
  locate(path: string): LocatedFile | undefined {
    if (!this.#isDirectory(dirname(path))) return undefined
    const plain = this.#look(path)
    const found = plain.stats?.isDirectory() ? this.#look(`${path}/${LEAF_NAME}`) : plain
    return found.stats?.isFile() ? { path: found.path, stats: found.stats } : undefined
  }

  /** Whether a located file has exactly these bytes and permission bits. */
  isEqual({ path, stats }: LocatedFile, bytes: Buffer, mode: number): boolean {
    return stats.size === bytes.length && hasMode(stats, mode) && this.#files.holds(path, bytes)
  }

  /** Of the key's file as it stands there; undefined = it cannot be read. */
  hashOf({ path: absolute }: LocatedFile, path: string): FileHash | undefined {
    try {
      return this.#files.hash(absolute, path)
    } catch (error) {
      if (isFileError(error, 'ENOENT', 'EACCES')) return undefined
      throw error
    }
  }

  /** What is wrong with the key's place when `locate` finds no file of it that is equal. */
  faultOf(path: string, mode: number): 'changed' | 'missing' | 'mode' | 'type' {
    const file = this.locate(path)
    if (file !== undefined) return hasMode(file.stats, mode) ? 'changed' : 'mode'
    const { stats } = this.#isDirectory(dirname(path)) ? this.#look(path) : { stats: undefined }
    return stats === undefined || stats.isDirectory() ? 'missing' : 'type'
  }

  /** A new file for the key, in place of the one it had. Returns whether it had none. */
  put(path: string, bytes: Buffer, mode: number): boolean {
    return this.#put(path, (target) => this.#files.create(target, bytes, mode))
  }

  /** One more name for `existing` as the key's file, in place of the one it had. Returns whether it had none. */
  link(path: string, existing: string): boolean {
    return this.#put(path, (target) => this.#files.link(existing, target))
  }

  /** Removes the key's file and every directory that is empty then. Returns whether there was one. */
  remove(path: string): boolean {
    const found = this.locate(path)
    if (found === undefined) return false
    this.#files.unlink(found.path)
    this.#count -= 1
    const inDirectory = found.path.endsWith(`/${LEAF_NAME}`)
    this.#prune(inDirectory ? path : dirname(path))
    return true
  }

  #put(path: string, create: (target: string) => void): boolean {
    this.#ensureDirectory(dirname(path))
    if (this.#isFresh && this.#createFree(path, create)) return true
    const { path: target, stats } = this.#slot(path)
    if (this.#scratch !== undefined) {
      this.#replace(target, `${this.#scratch}/${NEXT_FILE}`, create)
    } else {
      if (stats !== undefined) this.#files.unlink(target)
      create(target)
    }
    if (stats === undefined) this.#count += 1
    return stats === undefined
  }

  #replace(target: string, next: string, create: (target: string) => void): void {
    try {
      create(next)
      this.#files.rename(next, target)
    } catch (error) {
      if (this.#files.lstat(next) !== undefined) this.#files.unlink(next)
      throw error
    }
  }

  #createFree(path: string, create: (target: string) => void): boolean {
    try {
      create(this.#absolute(path))
    } catch (error) {
      if (isFileError(error, 'EEXIST')) return false
      throw error
    }
    this.#count += 1
    return true
  }

  /** Where the key's file belongs, and what is there. */
  #slot(path: string): { path: string; stats: Stats | undefined } {
    const plain = this.#look(path)
    return plain.stats?.isDirectory() ? this.#look(`${path}/${LEAF_NAME}`) : plain
  }

  #ensureDirectory(path: string): void {
    if (!this.#isThere) this.#files.assertDirectory(this.#directory)
    if (path === '' || this.#known.has(path)) return
    for (const ancestor of pathsDownTo(path)) {
      if (!this.#known.has(ancestor)) this.#makeDirectory(ancestor)
    }
  }

  #makeDirectory(path: string): void {
    const { path: absolute, stats } = this.#look(path)
    if (stats?.isFile()) {
      this.#files.mkdir(this.#aside, this.#directoryMode)
      this.#files.rename(absolute, `${this.#aside}/${LEAF_NAME}`)
      this.#files.rename(this.#aside, absolute)
    } else if (!stats?.isDirectory()) {
      if (stats !== undefined) this.#files.unlink(absolute)
      this.#files.mkdir(absolute, this.#directoryMode)
    }
    this.#remember(path)
  }

  #prune(path: string): void {
    let directory = path
    while (directory !== '') {
      if (!this.#files.rmdir(this.#absolute(directory))) {
        this.#takeLeafBack(directory)
        return
      }
      this.#known.delete(directory)
      directory = dirname(directory)
    }
  }

  #takeLeafBack(directory: string): void {
    const leaf = this.#look(`${directory}/${LEAF_NAME}`)
    const absolute = this.#absolute(directory)
    if (leaf.stats === undefined || this.#files.firstNames(absolute, 2).length > 1) return
    this.#files.rename(absolute, this.#aside)
    this.#known.delete(directory)
    this.#files.rename(`${this.#aside}/${LEAF_NAME}`, absolute)
    this.#files.rmdir(this.#aside)
  }

  get #aside(): string {
    return `${this.#scratch ?? this.#directory}/${ASIDE}`
  }

  /** Whether every component down to `path` is a real directory. */
  #isDirectory(path: string): boolean {
    if (path === '' || this.#known.has(path)) return this.#isThere
    if (!this.#isDirectory(dirname(path)) || !this.#look(path).stats?.isDirectory()) return false
    this.#remember(path)
    return true
  }

  #remember(path: string): void {
    if (this.#known.size >= MAX_KNOWN) this.#known.clear()
    this.#known.add(path)
  }

  #look(path: string): { path: string; stats: Stats | undefined } {
    const absolute = this.#absolute(path)
    return { path: absolute, stats: this.#files.lstat(absolute) }
  }

  #absolute(path: string): string {
    return `${this.#directory}/${path}`
  }
}

/** '' = the tree itself. */
function dirname(path: string): string {
  const parent = posix.dirname(path)
  return parent === '.' ? '' : parent
}

/** a, a/b, a/b/c for a/b/c. */
function* pathsDownTo(path: string): Generator<string> {
  for (let end = path.indexOf('/'); end !== -1; end = path.indexOf('/', end + 1)) yield path.slice(0, end)
  yield path
}
