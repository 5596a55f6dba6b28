import type { FileSystem } from './file-system.ts'
import { removeTree } from './tree-walk.ts'

const NOTHING: ReadonlySet<string> = new Set()

export interface MoveOptions {
  readonly directoryMode: number
  /** Entries of `to` that stay as they are. */
  readonly kept?: ReadonlySet<string>
}

/**
 * Makes what stands below `to` what stands below `from`, both of one file system, for `inSlices`. Each file is seen old or
 * new, and what `to` lacks altogether comes with one rename(2). Files that both share stay: rename(2) does nothing for two
 * names of one file. In each directory new entries come before old ones go. Of `from`, anything may be left.
 */
export function* moveTree(files: FileSystem, from: string, to: string, options: MoveOptions): Generator<void, void> {
  const { directoryMode, kept = NOTHING } = options
  const wanted = files.readdir(from)
  const present = new Map(files.readdir(to).map((entry) => [entry.name, entry]))
  for (const entry of wanted) {
    const source = `${from}/${entry.name}`
    const target = `${to}/${entry.name}`
    const existing = present.get(entry.name)
    present.delete(entry.name)
    if (entry.isDirectory() && existing?.isDirectory()) {
      files.setMode(target, directoryMode)
      yield* moveTree(files, source, target, { directoryMode })
    } else {
      const isInTheWay = existing !== undefined && (entry.isDirectory() || existing.isDirectory())
      if (isInTheWay) yield* removeTree(files, target)
      files.rename(source, target)
    }
    yield
  }
  for (const name of present.keys()) if (!kept.has(name)) yield* removeTree(files, `${to}/${name}`)
}
