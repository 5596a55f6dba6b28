/** What consumers see, told apart from what they saw before. */
export interface PublishMark {
  readonly revision: number
  readonly epoch: number
  /** Of the content of all files. */
  readonly digest: string
}

/** A tree that is about to be visible. */
export interface StagedTree {
  /** Absolute. */
  readonly directory: string
  readonly revision: number
  /** Paths that differ from what is visible; undefined = any. */
  readonly changed: readonly string[] | undefined
}

/** A tree that stays as it is until it is released. */
export interface PinnedTree {
  readonly directory: string
  readonly release: () => void
}

/** What stands below a root that is ours. */
export interface HookedRoot {
  /** What consumers see now; undefined = nothing. */
  readonly visible: PublishMark | undefined
  /** The visible tree, kept; undefined = there is none. */
  readonly pin: () => PinnedTree | undefined
}

/** Who wants to know of publishes. Calls come one at a time. */
export interface PublishHooks {
  /** The root was taken over. Throws what a file call throws. */
  opened(root: HookedRoot): void
  /** Whether `before` has something to ask about a publish that changes these paths; undefined = any. */
  asks(changed: readonly string[] | undefined): boolean
  /** Throws `GuardError` when the tree must not become visible; rejects with the abort reason. */
  before(staged: StagedTree, signal: AbortSignal): Promise<void>
  /** Something else is visible now. Never throws. `changed`: paths that differ from what was visible; undefined = any. */
  published(mark: PublishMark, changed: readonly string[] | undefined): void
  /**
   * Resolves once everybody has heard of what is visible now. Rejects with `EtcdMirrorError` HookFailed when somebody has
   * used up all tries, after the others were told, and with the abort reason.
   */
  told(signal: AbortSignal): Promise<void>
  /** Idempotent. Resolves once nothing runs any more. */
  close(): Promise<void>
}

/** Nobody wants to know. */
export const noHooks: PublishHooks = {
  opened: () => undefined,
  asks: () => false,
  before: async () => undefined,
  published: () => undefined,
  told: async () => undefined,
  close: async () => undefined,
}
