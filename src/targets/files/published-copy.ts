import { SinkError } from '../../mirror/sink-error.ts'
import type { Position } from '../../replication/position.ts'
import { isFileError } from './file-error.ts'
import { FileSystem } from './file-system.ts'
import { type Layout, type LayoutKind, layoutOf, RESERVED_NAMES } from './layout.ts'
import { parseOwner } from './owner.ts'
import { treePath } from './publication.ts'
import { currentName, revisionOfName } from './root-survey.ts'
import { IN_PLACE, readState, type StoredState } from './state-file.ts'

/** What consumers see below a root, for whoever only looks: takes no lock and writes nothing. */
export interface PublishedCopy {
  /** Absolute path of the tree. */
  readonly directory: string
  /** Names of entries of the directory that are no part of the tree. */
  readonly reserved: ReadonlySet<string>
  /** The revision that consumers see it under; 0 = it is the fallback of `seedFrom`. */
  readonly revision: number
  /** The tree equals the prefix at this position; undefined = not known. */
  readonly position: Position | undefined
  /** Keys of the copy, those without a path included; undefined = not known. */
  readonly keys: number | undefined
  /** Whether it was made with this configuration. */
  readonly isSameConfig: boolean
}

export interface PublishedCopyOptions {
  readonly root: string
  readonly layout: LayoutKind
  readonly mirrorName: string
  readonly configHash: string
}

/** A mirror that publishes all the time is not waited for. */
const TRIES = 10

/**
 * Looks at what stands below the root now; a mirror that runs may change it at any time. undefined = nothing is published
 * in this layout. Throws `SinkError` TargetForeign when the root belongs to another mirror.
 */
export function lookAtPublishedCopy(options: PublishedCopyOptions): PublishedCopy | undefined {
  const files = new FileSystem()
  const layout = layoutOf(options.root)
  refuseForeign(files, layout, options.mirrorName)
  return options.layout === 'InPlace' ? inPlaceCopy(files, layout, options) : snapshotCopy(files, layout, options)
}

function snapshotCopy(
  files: FileSystem,
  layout: Layout,
  { configHash }: PublishedCopyOptions,
): PublishedCopy | undefined {
  for (let attempt = 1; ; attempt++) {
    const name = currentName(files, layout)
    if (name === undefined) return undefined
    const state = stateIfThere(files, layout, name)
    // The state goes when another tree is published.
    if (attempt < TRIES && currentName(files, layout) !== name) continue
    const known = knownOf(state, configHash)
    return { revision: revisionOfName(name), ...known, directory: treePath(layout, name), reserved: new Set() }
  }
}

function stateIfThere(files: FileSystem, layout: Layout, name: string): StoredState | undefined {
  try {
    return readState(files, layout, name)
  } catch (error) {
    if (isFileError(error, 'ENOENT')) return undefined
    throw error
  }
}

function inPlaceCopy(
  files: FileSystem,
  layout: Layout,
  { configHash }: PublishedCopyOptions,
): PublishedCopy | undefined {
  const state = stateIfThere(files, layout, IN_PLACE)
  if (state === undefined) return undefined
  return { revision: 0, ...knownOf(state, configHash), directory: layout.root, reserved: RESERVED_NAMES }
}

function knownOf(state: StoredState | undefined, configHash: string) {
  if (state === undefined) return { position: undefined, keys: undefined, isSameConfig: false }
  const { published, position, isComplete, copy } = state
  const isEtcd = isComplete && published.revision > 0
  return {
    revision: published.revision,
    position: isEtcd ? position : undefined,
    keys: copy.keys,
    isSameConfig: state.configHash === configHash,
  }
}

function refuseForeign(files: FileSystem, layout: Layout, mirrorName: string): void {
  const bytes = files.read(layout.owner)
  const owner = bytes && parseOwner(bytes)
  if (owner === undefined || owner.mirror === mirrorName) return
  const state = `it belongs to the mirror ${JSON.stringify(owner.mirror)}`
  throw new SinkError('TargetForeign', layout.root, `Cannot look at ${layout.root}: ${state}`)
}
