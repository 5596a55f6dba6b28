import type { Totals } from '../../mirror/sink.ts'
import type { Position } from '../../replication/position.ts'
import type { FileSystem } from './file-system.ts'
import type { KeyErrorEntry } from './key-errors.ts'
import type { Layout } from './layout.ts'
import { isCount, isRecord, positionFromJson, positionToJson } from './position-json.ts'
import { type NameHistory, NO_NAMES } from './revision-name.ts'
import { TreeDigest } from './tree-digest.ts'
import { writeJson } from './write-json.ts'

/** Name of the state of the one tree of the layout InPlace; no tree of the layout Snapshot is called so. */
export const IN_PLACE = 'in-place'
const SCHEMA = 1
/** Beyond it a restarted mirror takes a snapshot, instead of every publish writing a long list. */
const MAX_KEY_ERRORS = 1000

/** What is known of one complete tree. Stands before the tree can be seen, and is true at every instant after. */
export interface TreeState {
  /** The revision that the tree was published for; it may equal etcd up to a later one: `position`. */
  readonly published: { readonly revision: number; readonly epoch: number }
  readonly position: Position
  readonly names: NameHistory
  readonly configHash: string
  /** The machine run that wrote the files: after another one their content has to be compared. */
  readonly bootId: string | undefined
  readonly keyErrors: readonly KeyErrorEntry[]
  /** Files of the tree, and their size together. */
  readonly files: number
  readonly bytes: number
  readonly digest: TreeDigest
  /** Keys that the tree stands for, in whatever files. */
  readonly copy: Totals
}

/**
 * What `readState` can tell. `isComplete` false: nothing to go on from, because there were more key errors than a state
 * holds, or because only an intent was written.
 */
export interface StoredState extends TreeState {
  readonly isComplete: boolean
}

/** One rename(2): the old or the new state, never none. `isIntent`: it is not true yet. */
export function writeState(
  files: FileSystem,
  layout: Layout,
  name: string,
  state: TreeState,
  { isIntent = false }: { readonly isIntent?: boolean } = {},
): void {
  const isComplete = !isIntent && state.keyErrors.length <= MAX_KEY_ERRORS
  writeJson(files, statePath(layout, name), {
    schema: SCHEMA,
    ...state,
    position: positionToJson(state.position),
    digest: state.digest.toString(),
    keyErrors: state.keyErrors.slice(0, MAX_KEY_ERRORS),
    isComplete,
  })
}

/** undefined = there is none, or not one that this version understands. */
export function readState(files: FileSystem, layout: Layout, name: string): StoredState | undefined {
  const bytes = files.read(statePath(layout, name))
  if (bytes === undefined) return undefined
  try {
    return stateFromJson(JSON.parse(bytes.toString('utf8')))
  } catch (error) {
    if (error instanceof SyntaxError) return undefined
    throw error
  }
}

export function statePath(layout: Layout, name: string): string {
  return `${layout.states}/${name}.json`
}

function stateFromJson(json: unknown): StoredState | undefined {
  if (!isRecord(json) || json.schema !== SCHEMA) return undefined
  const { published, names, configHash, bootId, keyErrors, isComplete, files, bytes } = json
  const digest = typeof json.digest === 'string' ? TreeDigest.parse(json.digest) : undefined
  const position = positionFromJson(json.position)
  if (position === undefined || !isPublished(published) || !isNames(names)) return undefined
  if (typeof configHash !== 'string' || typeof isComplete !== 'boolean') return undefined
  if (bootId !== undefined && typeof bootId !== 'string') return undefined
  if (!Array.isArray(keyErrors) || !keyErrors.every(isEntry)) return undefined
  if (!isCount(files) || !isCount(bytes) || digest === undefined) return undefined
  // States of earlier versions are of trees that hold one file a key.
  const copy = isTotals(json.copy) ? json.copy : { keys: files + keyErrors.length, bytes }
  return { published, position, names, configHash, bootId, keyErrors, isComplete, files, bytes, digest, copy }
}

function isTotals(json: unknown): json is Totals {
  return isRecord(json) && isCount(json.keys) && isCount(json.bytes)
}

function isPublished(json: unknown): json is TreeState['published'] {
  return isRecord(json) && isCount(json.revision) && isCount(json.epoch)
}

function isNames(json: unknown): json is NameHistory {
  return isRecord(json) && (json.revision === NO_NAMES.revision || isCount(json.revision)) && isCount(json.suffix)
}

function isEntry(json: unknown): json is KeyErrorEntry {
  return Array.isArray(json) && json.length === 3 && json.every((part) => typeof part === 'string')
}
