import { isFileError } from '../files/file-error.ts'
import type { FileSystem } from '../files/file-system.ts'

const PRIVATE = 0o600

/**
 * Writes the file that `MIRROR_CHANGES` names: one path a line, sorted. `changed` undefined = every path of the tree in
 * `directory`; entries of `reserved` are no part of it. Paths hold no line feeds. Throws what a file call throws.
 */
export function writeChangesFile(
  files: FileSystem,
  path: string,
  changed: readonly string[] | undefined,
  directory: string,
): void {
  const paths = changed ?? [...pathsBelow(files, directory)]
  const text = [...paths].sort().map((each) => `${each}\n`)
  try {
    files.unlink(path)
  } catch (error) {
    if (!isFileError(error, 'ENOENT')) throw error
  }
  files.create(path, Buffer.from(text.join('')), PRIVATE)
}

const RESERVED = new Set(['.etcd-mirror', 'lost+found'])

/** Every path of the tree in `directory`; entries of `reserved` are no part of it. Throws what a file call throws. */
export function* pathsBelow(files: FileSystem, directory: string, below = ''): Generator<string> {
  for (const entry of files.readdir(`${directory}/${below}`)) {
    const path = `${below}${entry.name}`
    if (RESERVED.has(path)) continue
    if (entry.isDirectory()) yield* pathsBelow(files, directory, `${path}/`)
    else yield path
  }
}
