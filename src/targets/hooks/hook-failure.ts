/** One run of a hook has failed. The message holds nothing of what the hook printed. */
export class HookFailure extends Error {
  readonly kind: 'error' | 'timeout'
  /** The end of what was printed, for the log. */
  readonly output: string

  constructor(kind: 'error' | 'timeout', message: string, output = '') {
    super(message)
    this.name = 'HookFailure'
    this.kind = kind
    this.output = output
  }
}
