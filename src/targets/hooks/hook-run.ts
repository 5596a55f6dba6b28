/** One run of a hook. */
export interface HookRun {
  /** The tree that it is about. */
  readonly directory: string
  readonly environment: HookEnvironment
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** What a hook is told. */
export interface HookEnvironment {
  readonly MIRROR_NAME: string
  /** What the hook was last told of; `0` = nothing. */
  readonly MIRROR_FROM_REVISION: string
  readonly MIRROR_REVISION: string
  /** The mirror's root. */
  readonly MIRROR_ROOT: string
  /** A file of paths below the tree, one a line: everything that may have changed. */
  readonly MIRROR_CHANGES: string
}
