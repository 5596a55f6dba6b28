import { isFileError } from './file-error.ts'
import type { FileSystem } from './file-system.ts'

const PRIVATE = 0o600

/**
 * Replaces a small file of ours as one: a reader sees the old or the new one. `sync`: the new one's bytes are on disk
 * before it gets its name.
 */
export function writeJson(
  files: FileSystem,
  path: string,
  content: unknown,
  options?: { readonly sync: boolean },
): void {
  const next = `${path}.next`
  const bytes = Buffer.from(`${JSON.stringify(content)}\n`)
  try {
    files.create(next, bytes, PRIVATE, options)
  } catch (error) {
    if (!isFileError(error, 'EEXIST')) throw error
    files.unlink(next)
    files.create(next, bytes, PRIVATE, options)
  }
  files.rename(next, path)
}
