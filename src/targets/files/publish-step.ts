/**
 * The steps of a publish and of remembering a position, in their order; `onStep` hears each one just before it begins.
 * A restore stages instead of taking a tree.
 */
export const PUBLISH_STEPS = [
  /** A complete new tree is written, page by page (restore). */
  'stage',
  /** A free tree is renamed out of the consumers' sight and catches up (apply). */
  'take-tree',
  /** The changes are written into it (apply). */
  'write-changes',
  /** The state of the new tree is written. */
  'write-state',
  /** The new tree gets its name. */
  'name-tree',
  /** The next `current` is made beside the old one. */
  'make-link',
  /** It replaces the old one: the commit. */
  'flip',
  /** The state of the tree before is removed. */
  'forget-state',
  /** A position is remembered for the tree that is visible already. */
  'remember-position',
] as const

/** The same in the layout InPlace. What is seen from the first change on is torn until the state is written. */
export const IN_PLACE_STEPS = [
  /** A complete new tree is written, out of sight (restore). */
  'stage',
  /** That the files are on their way to another state is written, if one was published before. */
  'write-intent',
  /** The staged files are moved, one by one (restore). */
  'move-files',
  /** Files are replaced one by one (apply). */
  'replace-files',
  /** The state of what is visible now is written: the commit. */
  'write-state',
  /** A position is remembered for what is visible already. */
  'remember-position',
] as const

export type PublishStep = (typeof PUBLISH_STEPS)[number] | (typeof IN_PLACE_STEPS)[number]
export type OnPublishStep = (step: PublishStep) => void
