import type { ModeOf } from './file-modes.ts'
import type { KeyErrorSet } from './key-errors.ts'
import type { KeyPaths } from './key-paths.ts'
import type { PathChange, PathPut } from './path-change.ts'
import type { Staging } from './staging.ts'
import { type FileHash, hashOf, TreeDigest } from './tree-digest.ts'
import type { TreeFiles } from './tree-files.ts'

/** What is to become of one key. */
export interface KeyChange {
  readonly key: Buffer
  /** undefined = it is deleted. */
  readonly value: Buffer | undefined
  readonly modRevision: number
}

/** Changes of keys as changes of paths. Keys that have none go into `keyErrors`, or out of it when they are deleted. */
export function resolveChanges(paths: KeyPaths, changes: Iterable<KeyChange>, keyErrors: KeyErrorSet): PathChange[] {
  const resolved: PathChange[] = []
  for (const { key, value, modRevision } of changes) {
    const { path, reason } = paths.resolve(key)
    if (path !== undefined) resolved.push({ path, bytes: value, modRevision })
    else if (value === undefined) keyErrors.delete(key)
    else keyErrors.add(key, reason)
  }
  return resolved
}

export interface Difference {
  /** The changes that are not in the tree already. */
  readonly changes: readonly PathChange[]
  /** How many files more (or, negative, less) there are with them. */
  readonly files: number
  /** How many bytes more. */
  readonly bytes: number
  /** What has to be added to the tree's digest. */
  readonly digest: TreeDigest
}

/** What changes would make different in `tree`, for `inSlices`. */
export function* differenceOf(
  tree: TreeFiles,
  wanted: readonly PathChange[],
  modeOf: ModeOf,
): Generator<void, Difference> {
  const changes: PathChange[] = []
  const sum = { files: 0, bytes: 0, digest: new TreeDigest() }
  for (const change of wanted) {
    const file = tree.locate(change.path)
    const isEqual =
      change.bytes === undefined
        ? file === undefined
        : file !== undefined && tree.isEqual(file, change.bytes, modeOf(change.path))
    if (!isEqual) {
      changes.push(change)
      if (file !== undefined) subtract(sum, file.stats.size, tree.hashOf(file, change.path))
      if (isPut(change)) add(sum, change.bytes.length, hashOf(change.path, change.bytes))
    }
    yield
  }
  return { changes, ...sum }
}

interface Sum {
  files: number
  bytes: number
  readonly digest: TreeDigest
}

function add(sum: Sum, size: number, hash: FileHash): void {
  sum.files += 1
  sum.bytes += size
  sum.digest.add(hash)
}

/**
 * Takes away what stands there, which somebody may have changed: then the sum is wrong from now on, and the next
 * verification finds that.
 */
function subtract(sum: Sum, size: number, hash: FileHash | undefined): void {
  sum.files -= 1
  sum.bytes -= size
  if (hash !== undefined) sum.digest.remove(hash)
}

/** Writes changes into a tree that nobody sees. */
export function* writeChanges(tree: TreeFiles, changes: readonly PathChange[], modeOf: ModeOf): Generator<void, void> {
  for (const { path, bytes } of changes) {
    if (bytes === undefined) tree.remove(path)
    else tree.put(path, bytes, modeOf(path))
    yield
  }
}

/** Stages paths that are staged for the first time. */
export function* stageNew(staging: Staging, changes: readonly PathChange[]): Generator<void, void> {
  for (const change of changes) {
    if (isPut(change)) staging.add(change)
    yield
  }
}

/** Stages changes on top of what is staged already. */
export function* stageChanges(staging: Staging, changes: readonly PathChange[]): Generator<void, void> {
  for (const change of changes) {
    staging.remove(change.path)
    if (isPut(change)) staging.add(change)
    yield
  }
}

function isPut(change: PathChange): change is PathPut {
  return change.bytes !== undefined
}
