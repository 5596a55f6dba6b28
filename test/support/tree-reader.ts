import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { Entries } from './oracle.ts'

/** One tree as a consumer sees it. */
export interface Tree {
  /** Base name of what `current` points to. */
  readonly name: string
  /** The revision that the name tells. */
  readonly revision: number
  /** Value by path below the tree. */
  readonly files: ReadonlyMap<string, Buffer>
  /** Directories that hold nothing: there should be none. */
  readonly emptyDirectories: readonly string[]
}

/** What tells whether a file was written anew. */
export interface FileIdentity {
  readonly inode: number
  readonly mtimeMs: number
}

/**
 * Reads the tree behind `<root>/current`, as a careful consumer does: resolves the link once, reads below what it named,
 * and begins again when that tree is retired meanwhile. undefined = nothing is published.
 */
export function readTree(root: string): Tree | undefined {
  for (;;) {
    const name = currentName(root)
    if (name === undefined) return undefined
    const files = new Map<string, Buffer>()
    const emptyDirectories: string[] = []
    try {
      walk(join(root, '.revisions', name), '', {
        onFile: (path, full) => files.set(path, readFileSync(full)),
        onEmptyDirectory: (path) => emptyDirectories.push(path),
      })
    } catch (error) {
      // Read to the end or not at all: the next round sees the tree that took its place.
      if (isMissing(error) && currentName(root) !== name) continue
      throw error
    }
    return { name, revision: Number.parseInt(name, 10), files, emptyDirectories }
  }
}

/** Inode and mtime of every file of the tree behind `current`, by path. */
export function fileIdentities(root: string): ReadonlyMap<string, FileIdentity> {
  const identities = new Map<string, FileIdentity>()
  const name = currentName(root)
  if (name === undefined) return identities
  walk(join(root, '.revisions', name), '', {
    onFile: (path, full) => {
      const { ino, mtimeMs } = statSync(full)
      identities.set(path, { inode: ino, mtimeMs })
    },
    onEmptyDirectory: () => {},
  })
  return identities
}

/** The tree by key, for plain keys alone: a path is a key, and `a/%leaf` is the key that is a directory as well. */
export function entriesOf({ files }: Pick<Tree, 'files'>, prefix: string): Entries {
  return new Map(
    [...files].map(([path, value]) => {
      const key = prefix + path.replace(/\/%leaf$/, '')
      return [Buffer.from(key).toString('latin1'), value]
    }),
  )
}

/** The base name of what `current` points to; undefined = there is no such link. */
export function currentName(root: string): string | undefined {
  try {
    const target = readlinkSync(join(root, 'current'))
    const name = /^\.revisions\/(\d+(?:-\d+)?)$/.exec(target)?.[1]
    if (name === undefined) throw new Error(`current points to ${target}`)
    return name
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

interface Visitor {
  readonly onFile: (path: string, full: string) => void
  readonly onEmptyDirectory: (path: string) => void
}

function walk(directory: string, path: string, visitor: Visitor): void {
  const entries = readdirSync(directory, { withFileTypes: true })
  if (entries.length === 0 && path !== '') visitor.onEmptyDirectory(path)
  for (const entry of entries) {
    const below = path === '' ? entry.name : `${path}/${entry.name}`
    const full = `${directory}/${entry.name}`
    if (entry.isDirectory()) walk(full, below, visitor)
    else visitor.onFile(below, full)
  }
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}
