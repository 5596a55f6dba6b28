import type { Digest } from './digest.ts'
import type { SettledHistory } from './settled-history.ts'

/** One tree as a reader saw it. */
export interface SeenTree {
  /** Base name of what `current` pointed to. */
  readonly name: string
  /** The revision that the name tells, and how often it was published before. */
  readonly revision: number
  readonly generation: number
  /** By key below the prefix; a path that belongs to no key stands as it is. */
  readonly entries: ReadonlyMap<string, Digest>
  readonly emptyDirectories: readonly string[]
}

/** A stretch of the stream of revisions, over any number of disconnects, from one snapshot on. */
export interface SeenStream {
  readonly from: number
  readonly snapshot: ReadonlyMap<string, Digest>
  /** In the order in which they came. */
  readonly changes: readonly SeenChange[]
  /** Everything up to here was delivered. */
  readonly upTo: number
}

export interface SeenChange {
  readonly revision: number
  readonly key: string
  /** undefined = deleted. */
  readonly digest: Digest | undefined
}

/** A restart of the mirror while etcd had all of the history that it missed. */
export interface SeenRestart {
  /** Complete reads by the new process. */
  readonly resyncs: number
  /** Inode and mtime by key. */
  readonly before: ReadonlyMap<string, string>
  readonly after: ReadonlyMap<string, string>
  /** Keys written meanwhile. */
  readonly changed: ReadonlySet<string>
}

/** How it stood when every fault was healed and nothing was written any more. */
export interface SeenEnd {
  readonly tree: SeenTree | undefined
  /** What stands in the target of the engine that runs in the suite's own process. */
  readonly engine: ReadonlyMap<string, Digest>
  /** What etcd itself says is under the prefix. */
  readonly store: ReadonlyMap<string, Digest>
  /** What is wrong with the status that the mirror gives of itself; empty = it says that its copy is complete. */
  readonly complaints: readonly string[]
  /** Names in `.revisions`. */
  readonly trees: readonly string[]
}

/** Everything that was seen in a round, and what was true. */
export interface RoundRecord {
  /** The histories of the store, oldest first. */
  readonly eras: readonly SettledHistory[]
  /**
   * In the order in which one reader saw them, a list for each root (it is removed now and then, and the engine's own
   * target is one more). A tree that changed under
   * its name stands there twice.
   */
  readonly roots: readonly (readonly SeenTree[])[]
  /** Read slowly, within the grace. */
  readonly patientTrees: readonly SeenTree[]
  readonly streams: readonly SeenStream[]
  readonly restarts: readonly SeenRestart[]
  readonly end: SeenEnd
  readonly surroundings: { readonly before: readonly string[]; readonly after: readonly string[] }
}
