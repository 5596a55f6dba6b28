import { join } from 'node:path'

/**
 * How states become visible below a root. `Snapshot`: as one, behind a link. `InPlace`: file by file, below the root
 * itself.
 */
export type LayoutKind = 'Snapshot' | 'InPlace'

/** The fixed places below a root. All of one file system, so that rename and link work between them. */
export interface Layout {
  readonly root: string
  /** Symbolic link to the tree that consumers see. */
  readonly current: string
  /** Complete trees, one directory each. */
  readonly revisions: string
  /** Everything that is not for consumers. */
  readonly meta: string
  readonly owner: string
  /** Who holds its lock is the only one to write below the root. */
  readonly lock: string
  /** State of each complete tree: `<name>.json`. */
  readonly states: string
  /** Trees in the making and trees to remove: of no use to anybody after a crash. */
  readonly work: string
  /** What hooks have been told. */
  readonly hooks: string
  /** The next `current`, before it is renamed into place. */
  readonly nextLink: string
}

export const REVISIONS_NAME = '.revisions'
export const META_NAME = '.etcd-mirror'
/** Every ext4 volume is born with it. */
export const LOST_AND_FOUND = 'lost+found'
/** What stands below a root beside the files of the layout InPlace: neither written as a key nor pruned. */
export const RESERVED_NAMES: ReadonlySet<string> = new Set([META_NAME, LOST_AND_FOUND])

/** Pure. */
export function layoutOf(root: string): Layout {
  const meta = join(root, META_NAME)
  return {
    root,
    current: join(root, 'current'),
    revisions: join(root, REVISIONS_NAME),
    meta,
    owner: join(meta, 'owner.json'),
    lock: join(meta, 'lock'),
    states: join(meta, 'trees'),
    work: join(meta, 'work'),
    hooks: join(meta, 'hooks'),
    nextLink: join(meta, 'current.next'),
  }
}
