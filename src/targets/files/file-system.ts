import { createHash, hash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  type Dirent,
  fchmodSync,
  fstatSync,
  fsyncSync,
  linkSync,
  lstatSync,
  mkdirSync,
  opendirSync,
  openSync,
  readdirSync,
  readlinkSync,
  readSync,
  renameSync,
  rmdirSync,
  type Stats,
  symlinkSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { isFileError } from './file-error.ts'
import { type FileHash, hashHead } from './tree-digest.ts'

const { O_CREAT, O_EXCL, O_NOFOLLOW, O_NONBLOCK, O_RDONLY, O_WRONLY } = constants
const PERMISSIONS = 0o777
const SPECIAL_BITS = 0o7000
const SCRATCH_BYTES = 64 * 1024

/**
 * Every file call of this target, synchronous (two to four times cheaper than the asynchronous ones in Node). None
 * follows a symbolic link in the last component. Failures are Node's own errors.
 */
export class FileSystem {
  readonly #scratch = Buffer.allocUnsafe(SCRATCH_BYTES)
  /** By mode: whether files come out of open(2) with other bits (umask, default ACLs). */
  readonly #needsChmod = new Map<number, boolean>()

  /** undefined = nothing there. */
  lstat(path: string): Stats | undefined {
    try {
      return lstatSync(path, { throwIfNoEntry: false })
    } catch (error) {
      if (isFileError(error, 'ENOTDIR')) return undefined
      throw error
    }
  }

  /** Throws ENOTDIR when `path` is no directory itself; a link to one is none. */
  assertDirectory(path: string): void {
    if (this.lstat(path)?.isDirectory()) return
    throw Object.assign(new Error('ENOTDIR: not a directory, lstat'), { code: 'ENOTDIR', syscall: 'lstat' })
  }

  readdir(path: string): Dirent[] {
    return readdirSync(path, { withFileTypes: true })
  }

  /** At most `count` names of a directory, without reading all of a large one. */
  firstNames(path: string, count: number): string[] {
    const directory = opendirSync(path, { bufferSize: count })
    try {
      const names: string[] = []
      for (let entry = directory.readSync(); entry !== null && names.length < count; entry = directory.readSync()) {
        names.push(entry.name)
      }
      return names
    } finally {
      directory.closeSync()
    }
  }

  /** Whether the file holds exactly `bytes`. */
  holds(path: string, bytes: Buffer): boolean {
    const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      let at = 0
      for (;;) {
        const length = readSync(file, this.#scratch, 0, SCRATCH_BYTES, null)
        if (length === 0) return at === bytes.length
        if (this.#scratch.compare(bytes, at, Math.min(at + length, bytes.length), 0, length) !== 0) return false
        at += length
      }
    } finally {
      closeSync(file)
    }
  }

  /** What `hashOf` makes of `place` and the file's bytes. */
  hash(path: string, place: string): FileHash {
    const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      const head = this.#scratch.write(hashHead(place))
      let end = this.#fill(file, head)
      if (end < SCRATCH_BYTES) return hash('sha256', this.#scratch.subarray(0, end), 'binary')
      const sum = createHash('sha256')
      for (; end > 0; end = this.#fill(file, 0)) sum.update(this.#scratch.subarray(0, end))
      return sum.digest('binary')
    } finally {
      closeSync(file)
    }
  }

  /** The whole of a small file; undefined = nothing there, or no regular file. */
  read(path: string): Buffer | undefined {
    if (!this.lstat(path)?.isFile()) return undefined
    const file = openSync(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
    try {
      const bytes = Buffer.alloc(fstatSync(file).size)
      return bytes.subarray(0, readSync(file, bytes))
    } finally {
      closeSync(file)
    }
  }

  /** undefined = no symbolic link there. */
  readlink(path: string): string | undefined {
    try {
      return readlinkSync(path)
    } catch (error) {
      if (isFileError(error, 'ENOENT', 'EINVAL')) return undefined
      throw error
    }
  }

  /** A new file; EEXIST when there is anything at `path`. `sync`: on disk when this returns. */
  create(path: string, bytes: Buffer, mode: number, { sync = false }: { readonly sync?: boolean } = {}): void {
    const file = openSync(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW, mode)
    try {
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
      this.#correctMode(file, mode)
      if (sync) fsyncSync(file)
    } finally {
      closeSync(file)
    }
  }

  /** A new directory. */
  mkdir(path: string, mode: number): void {
    mkdirSync(path, { mode })
    this.setMode(path, mode)
  }

  /** Permission bits of a directory; its set-group-ID bit, inherited in a volume with an fsGroup, is left alone. */
  setMode(path: string, mode: number): void {
    const { mode: actual } = lstatSync(path)
    if ((actual & PERMISSIONS) !== mode) chmodSync(path, (actual & SPECIAL_BITS) | mode)
  }

  /** Directories above a root, as the umask has it. */
  mkdirParents(path: string): void {
    mkdirSync(path, { recursive: true })
  }

  /** false = it is not empty. */
  rmdir(path: string): boolean {
    try {
      rmdirSync(path)
      return true
    } catch (error) {
      if (isFileError(error, 'ENOTEMPTY', 'EEXIST')) return false
      throw error
    }
  }

  unlink(path: string): void {
    unlinkSync(path)
  }

  rename(from: string, to: string): void {
    renameSync(from, to)
  }

  /** One more name for a file; a copy where the file system or the owner of the file does not allow that. */
  link(from: string, to: string): void {
    try {
      linkSync(from, to)
    } catch (error) {
      if (!isFileError(error, 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS')) throw error
      copyFileSync(from, to, constants.COPYFILE_EXCL)
    }
  }

  symlink(target: string, path: string): void {
    symlinkSync(target, path)
  }

  /** Reads into the scratch from `start` on until it is full or the file ends; returns where that is. */
  #fill(file: number, start: number): number {
    let end = start
    while (end < SCRATCH_BYTES) {
      const length = readSync(file, this.#scratch, end, SCRATCH_BYTES - end, null)
      if (length === 0) break
      end += length
    }
    return end
  }

  #correctMode(file: number, mode: number): void {
    const known = this.#needsChmod.get(mode)
    const needed = known ?? (fstatSync(file).mode & PERMISSIONS) !== mode
    if (known === undefined) this.#needsChmod.set(mode, needed)
    if (needed) fchmodSync(file, mode)
  }
}

/** Whether the permission bits of `stats` are `mode`; group and set-ID bits do not count. */
export function hasMode(stats: Stats, mode: number): boolean {
  return (stats.mode & PERMISSIONS) === mode
}
