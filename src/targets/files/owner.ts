import type { Stats } from 'node:fs'
import { isAbsolute } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { SinkError } from '../../mirror/sink-error.ts'
import type { FileSystem } from './file-system.ts'
import { type Layout, type LayoutKind, META_NAME, RESERVED_NAMES } from './layout.ts'
import { isRecord } from './position-json.ts'
import { writeJson } from './write-json.ts'

const META_MODE = 0o700
/** What may stand in `meta` before it is written whose it is. */
const BEFORE_OWNER = ['lock', 'owner.json.next']

export interface Owner {
  /** Name of the mirror. */
  readonly mirror: string
  readonly prefixBase64: string
  /** Version of the program. */
  readonly version: string
  /** InPlace: files of keys may stand in the root itself, whatever is configured now. */
  readonly layout: LayoutKind
}

/**
 * Makes sure that the root is this mirror's, or free; of ours, no more than the directories down to `meta` is made.
 * Returns who it belongs to so far, undefined = nobody. Throws `SinkError` TargetForeign when it belongs to somebody else,
 * TargetBroken when something stands where one of our directories is expected. `isHeld`: whether this directory is known to be
 * ours although nothing in it says so any more.
 */
export function examineRoot(
  files: FileSystem,
  layout: Layout,
  mirror: string,
  directoryMode: number,
  isHeld: (root: Stats) => boolean = () => false,
): Owner | undefined {
  if (!isAbsolute(layout.root)) {
    throw new SinkError('TargetBroken', layout.root, `Cannot use ${layout.root}: it is not an absolute path`)
  }
  const stats = files.lstat(layout.root)
  if (stats === undefined) {
    files.mkdirParents(parentOf(layout.root))
    files.mkdir(layout.root, directoryMode)
  } else if (!stats.isDirectory()) {
    throw foreign(layout, stats.isSymbolicLink() ? 'it is a symbolic link' : 'it is not a directory')
  }
  const refuse = stats !== undefined && isHeld(stats) ? () => undefined : () => refuseOccupied(files, layout)
  ensureDirectory(files, layout, layout.meta, META_MODE, refuse)
  return readOwner(files, layout, mirror, refuse)
}

/**
 * Writes down whose the root is and makes our directories; to be called by the holder of the root's lock alone. Throws
 * what `examineRoot` throws. Returns the owner as it is written now: in the layout Snapshot it still says InPlace until
 * `writeOwner` says that the files of that layout are gone.
 */
export function claimRoot(
  files: FileSystem,
  layout: Layout,
  owner: Owner,
  directoryMode: number,
  isHeld?: (root: Stats) => boolean,
): Owner {
  // Whoever held the lock until now may have made it theirs.
  const known = examineRoot(files, layout, owner.mirror, directoryMode, isHeld)
  const next: Owner = { ...owner, layout: known?.layout === 'InPlace' ? 'InPlace' : owner.layout }
  if (!isDeepStrictEqual(known, next)) writeOwner(files, layout, next)
  ensureDirectory(files, layout, layout.states, META_MODE)
  ensureDirectory(files, layout, layout.work, META_MODE)
  return next
}

/** Replaces the owner as one, on disk when this returns. */
export function writeOwner(files: FileSystem, layout: Layout, owner: Owner): void {
  writeJson(files, layout.owner, owner, { sync: true })
}

/** Makes a directory of ours if it is not there. Throws `SinkError` TargetBroken when something else is. */
export function ensureDirectory(
  files: FileSystem,
  layout: Layout,
  path: string,
  mode: number,
  beforeMake?: () => void,
): void {
  const stats = files.lstat(path)
  if (stats === undefined) {
    beforeMake?.()
    files.mkdir(path, mode)
  } else if (!stats.isDirectory()) {
    throw new SinkError('TargetBroken', layout.root, `Cannot use ${layout.root}: ${path} is not a directory`, {
      hint: `Remove ${path}.`,
    })
  }
}

/**
 * Throws ENOTDIR when one of our directories is none any more: whoever else can write to the volume may have put a link
 * in its place since it was made.
 */
export function assertDirectories(files: FileSystem, layout: Layout, kind: LayoutKind): void {
  const { root, meta, states, work, revisions } = layout
  for (const path of [root, meta, states, work, ...(kind === 'Snapshot' ? [revisions] : [])])
    files.assertDirectory(path)
}

/** undefined = nobody's yet. */
function readOwner(files: FileSystem, layout: Layout, mirror: string, refuse: () => void): Owner | undefined {
  const bytes = files.read(layout.owner)
  if (bytes === undefined) {
    refuse()
    return undefined
  }
  const owner = parseOwner(bytes)
  if (owner === undefined) throw foreign(layout, `${layout.owner} cannot be read as an owner`)
  if (owner.mirror !== mirror) throw foreign(layout, `it belongs to the mirror ${JSON.stringify(owner.mirror)}`)
  return owner
}

/** A root without an owner is free when it is empty, or when we were killed while we took it. */
function refuseOccupied(files: FileSystem, layout: Layout): void {
  const names = files.readdir(layout.root).map((entry) => entry.name)
  const isFree =
    names.every((name) => RESERVED_NAMES.has(name)) &&
    (!names.includes(META_NAME) || files.readdir(layout.meta).every((entry) => BEFORE_OWNER.includes(entry.name)))
  if (!isFree) throw foreign(layout, 'it is not empty and no mirror made it')
}

/** undefined = not what we write. */
export function parseOwner(bytes: Buffer): Owner | undefined {
  try {
    const json: unknown = JSON.parse(bytes.toString('utf8'))
    if (!isRecord(json)) return undefined
    const { mirror, prefixBase64, version, layout = 'Snapshot' } = json
    if (typeof mirror !== 'string' || typeof prefixBase64 !== 'string' || typeof version !== 'string') return undefined
    if (layout !== 'Snapshot' && layout !== 'InPlace') return undefined
    return { mirror, prefixBase64, version, layout }
  } catch {
    return undefined
  }
}

function parentOf(path: string): string {
  return path.slice(0, path.lastIndexOf('/')) || '/'
}

function foreign(layout: Layout, state: string): SinkError {
  return new SinkError('TargetForeign', layout.root, `Cannot take over ${layout.root}: ${state}`, {
    hint: 'Give the mirror a directory of its own, or empty this one.',
  })
}
