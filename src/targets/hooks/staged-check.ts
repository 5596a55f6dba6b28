import type { GuardCode } from '../../mirror/guard-error.ts'
import type { HookOptions } from './options.ts'

/** What is asked about a tree before it is visible. */
export interface StagedCheck extends Pick<HookOptions, 'name' | 'exec' | 'http' | 'signal' | 'files' | 'timeoutMs'> {
  /** Why the copy is held when it fails. */
  readonly refusal: Extract<GuardCode, 'HookVetoed' | 'ValidationFailed'>
}
