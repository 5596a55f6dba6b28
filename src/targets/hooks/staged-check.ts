import type { GuardCode } from '../../mirror/guard-error.ts'
import type { HookOptions } from './options.ts'

/** What is asked about a tree before it is visible. */
export interface StagedCheck extends Pick<HookOptions, 'name' | 'exec' | 'http' | 'signal' | 'files' | 'timeoutMs'> {
  /** It is about files that are there: not asked where none of them is, nor when one only goes. */
  readonly needsFile: boolean
  /** Why the copy is held when it fails. */
  readonly refusal: Extract<GuardCode, 'HookVetoed' | 'ValidationFailed'>
}
