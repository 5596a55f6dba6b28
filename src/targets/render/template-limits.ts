/** What one rendering of a template may take. Beyond it the last good copy is held. */
export const TEMPLATE_LIMITS = {
  /** Milliseconds. */
  timeMs: 10_000,
  /** MiB of the heap that all templates of a mirror share. */
  memoryMiB: 256,
  /** Bytes of the file. */
  outputBytes: 16 * 1024 * 1024,
  /** Characters of the template. */
  textLength: 1024 * 1024,
} as const
