import { accessSync, constants } from 'node:fs'
import { SinkError } from '../../mirror/sink-error.ts'
import { isFileError } from './file-error.ts'
import type { FileSystem } from './file-system.ts'
import type { Layout } from './layout.ts'

/** Result codes of SQLite. */
const SQLITE_BUSY = 5
const SQLITE_CANTOPEN = 14

export interface RootLock {
  /** Idempotent. Never throws. */
  release(): void
}

/**
 * Makes this process the only one to write below the root, for as long as the lock is held; its directory `meta` stands.
 * The lock is that of an exclusive SQLite transaction on an empty file, a POSIX record lock: the kernel drops it when the
 * holder dies, in whatever PID namespace, and it binds every process that shares the volume (docs/adr/0005-root-lock.md).
 * Nobody may open the file in this process: closing it would drop the lock.
 *
 * Does not wait. Throws `SinkError` TargetBusy when another process, or another target of this one, holds it.
 */
export async function lockRoot(files: FileSystem, layout: Layout): Promise<RootLock> {
  refuseUnusable(files, layout)
  // Loaded when it is needed: users of the library never do, and some versions of Node warn about it.
  const { DatabaseSync } = await import('node:sqlite')
  try {
    const database = new DatabaseSync(layout.lock)
    try {
      // In memory: a journal beside the file could not be made on a full volume.
      database.exec('PRAGMA journal_mode=MEMORY; PRAGMA locking_mode=EXCLUSIVE; BEGIN EXCLUSIVE')
    } catch (error) {
      database.close()
      throw error
    }
    return {
      release() {
        if (database.isOpen) database.close()
      },
    }
  } catch (error) {
    throw lockError(error, layout)
  }
}

function refuseUnusable(files: FileSystem, { root, lock, meta }: Layout): void {
  const stats = files.lstat(lock)
  if (stats !== undefined && !stats.isFile()) {
    throw new SinkError('TargetBroken', root, `Cannot take ${root}: ${lock} is not a file`, { hint: `Remove ${lock}.` })
  }
  try {
    // SQLite would open a file that it cannot write for reading, and hold nothing.
    accessSync(stats === undefined ? meta : lock, constants.R_OK | constants.W_OK)
  } catch (error) {
    if (!isFileError(error)) throw error
    const isOnlyTheLock = isFileError(error, 'EACCES') && stats !== undefined
    const hint = isOnlyTheLock
      ? `Remove ${lock}, or give it to the user of this process.`
      : 'Give the process write access to the root: its user, fsGroup, or a volume that is not read-only.'
    const state = `${stats === undefined ? meta : lock} cannot be written (${error.code})`
    throw new SinkError('TargetNotWritable', root, `Cannot take ${root}: ${state}`, { cause: error, hint })
  }
}

function lockError(error: unknown, { root, lock }: Layout): unknown {
  if (!isSqliteError(error)) return error
  if (error.errcode === SQLITE_BUSY) {
    return new SinkError('TargetBusy', root, `Cannot take ${root}: another process holds it`, {
      cause: error,
      hint: 'One process writes below a root; this one goes on once the other one has ended.',
    })
  }
  const code = error.errcode === SQLITE_CANTOPEN ? 'TargetNotWritable' : 'TargetBroken'
  return new SinkError(code, root, `Cannot take ${root}: ${lock} cannot be locked (${error.message})`, {
    cause: error,
    hint: `Remove ${lock} if nothing else uses it; the volume has to support POSIX record locks.`,
  })
}

function isSqliteError(error: unknown): error is Error & { readonly errcode: number } {
  return error instanceof Error && 'errcode' in error && typeof error.errcode === 'number'
}
